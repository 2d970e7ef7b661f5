// JSON to protobuf and back with google/protobuf/util/json_util.h: text to bytes and bytes to text, by the generated types.
//
//   codec TYPE JSON_FILE to_wire|to_json COUNT RESULT_FILE
//
// Converts once, then prints the seconds of processor time that COUNT more times take.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include "kinds.pb.h"

using google::protobuf::util::TypeResolver;

static double seconds()
{
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

static void convert(TypeResolver *types, const std::string &type, bool to_wire, const std::string &in, std::string *out)
{
    out->clear();
    auto status = to_wire ? google::protobuf::util::JsonToBinaryString(types, type, in, out)
                          : google::protobuf::util::BinaryToJsonString(types, type, in, out);
    if (!status.ok()) {
        std::cerr << status.ToString() << "\n";
        std::exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        std::cerr << "usage: codec TYPE JSON_FILE to_wire|to_json COUNT RESULT_FILE\n";
        return 2;
    }
    kinds::All::descriptor();    // links the generated types
    std::unique_ptr<TypeResolver> types(google::protobuf::util::NewTypeResolverForDescriptorPool(
        "type.googleapis.com", google::protobuf::DescriptorPool::generated_pool()));
    const std::string type = std::string("type.googleapis.com/") + argv[1];
    const bool to_wire = std::string(argv[3]) == "to_wire";
    std::ifstream file(argv[2], std::ios::binary);
    std::string in{std::istreambuf_iterator<char>(file), {}}, out;
    if (!to_wire) {
        convert(types.get(), type, true, in, &out);
        in.swap(out);
    }
    convert(types.get(), type, to_wire, in, &out);
    const double start = seconds();
    for (long n = std::atol(argv[4]); n > 0; n--)
        convert(types.get(), type, to_wire, in, &out);
    std::printf("%.9f\n", seconds() - start);
    std::ofstream(argv[5], std::ios::binary) << out;
}
