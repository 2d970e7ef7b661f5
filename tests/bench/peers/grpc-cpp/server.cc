// Calculator.SquareRoot with the callback API of grpc C++, every option at its default.
//
//   grpc-cpp 127.0.0.1:PORT
#include <cmath>
#include <cstdio>

#include <grpcpp/grpcpp.h>

#include "square_root.grpc.pb.h"

class CalculatorService final : public Calculator::CallbackService
{
    grpc::ServerUnaryReactor *SquareRoot(grpc::CallbackServerContext *context,
                                         const Number *request, Number *reply) override
    {
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        if (request->value() < 0) {
            reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "value must not be negative"});
            return reactor;
        }
        reply->set_value(std::sqrt(request->value()));
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s ADDR:PORT\n", argv[0]);
        return 2;
    }
    CalculatorService service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    server->Wait();
}
