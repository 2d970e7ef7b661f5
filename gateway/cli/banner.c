#include "gateway/cli/banner.h"

enum { SAMPLE_LEN = 256, SAMPLE_FIELDS = 3 };

void banner_url(const struct net_address *address, char url[static BANNER_URL_LEN])
{
    char text[NET_TEXT_LEN];
    net_format(address, text);
    if (address->storage.ss_family == AF_UNIX)
        snprintf(url, BANNER_URL_LEN, "%s", text);
    else if (strncmp(text, "0.0.0.0:", 8) == 0 || strncmp(text, "[::]:", 5) == 0)
        snprintf(url, BANNER_URL_LEN, "http://localhost:%u", net_port(address));
    else
        snprintf(url, BANNER_URL_LEN, "http://%s", text);
}

static bool is_number(const struct field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
    case FIELD_STRING:
    case FIELD_BYTES:
    case FIELD_ENUM:
    case FIELD_GROUP:
    case FIELD_MESSAGE:
        return false;
    default:
        return !field->repeated && field->oneof == 0;
    }
}

/* A request body of the type: its first plain numbers, so that a calculation has something to do.
 */
static void sample_json(const struct message_type *type, char out[static SAMPLE_LEN])
{
    size_t len = (size_t)snprintf(out, SAMPLE_LEN, "{");
    unsigned fields = 0;
    for (uint16_t i = 0; i < type->field_count && fields < SAMPLE_FIELDS; i++) {
        const struct field *field = &type->fields[i];
        if (!is_number(field) || len + field->json_name.len + 16 > SAMPLE_LEN)
            continue;
        fields++;
        len += (size_t)snprintf(out + len, SAMPLE_LEN - len, "%s\"%.*s\":%u", fields > 1 ? "," : "",
                                SLICE_PRINT(field->json_name), fields);
    }
    snprintf(out + len, SAMPLE_LEN - len, "}");
}

/* The first method that takes one message and answers with one, of a service of their own. */
static const struct method *sample_method(const struct schema *schema)
{
    for (size_t i = 0; i < schema_method_count(schema); i++) {
        const struct method *method = schema_method_at(schema, i);
        bool infrastructure = slice_has_prefix(method->service, SLICE("grpc."));
        if (!infrastructure && !method->client_streaming && !method->server_streaming)
            return method;
    }
    return NULL;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_curl(const struct config *config, const struct method *method, FILE *out)
{
    char url[BANNER_URL_LEN], json[SAMPLE_LEN];
    const struct net_address *address = &config->listen[0];
    bool is_unix = address->storage.ss_family == AF_UNIX;
    banner_url(address, url);
    sample_json(method->input, json);
    fputs("  try     curl ", out);
    if (is_unix)
        fprintf(out, "--unix-socket %s ", url + strlen("unix:"));
    fprintf(out, "-H 'content-type: application/json' -d '%s' %s%s%.*s\n", json,
            is_unix ? "http://localhost" : url, config->path_prefix, SLICE_PRINT(method->path));
}

void banner_print(const struct config *config, const struct schema *schema, FILE *out)
{
    char url[BANNER_URL_LEN];
    size_t services = schema_service_count(schema), methods = schema_method_count(schema);
    fprintf(out, "\ndrawbridge %s\n", DRAWBRIDGE_VERSION);
    for (size_t i = 0; i < config->listen_count; i++) {
        banner_url(&config->listen[i], url);
        bool is_unix = config->listen[i].storage.ss_family == AF_UNIX;
        fprintf(out, "  %-7s %s%s   gRPC-Web and JSON\n", i == 0 ? "open" : "", url,
                is_unix ? "" : config->path_prefix);
    }
    if (config->admin_on) {
        banner_url(&config->admin, url);
        fprintf(out, "  admin   %s   /readyz /metrics\n", url);
    }
    for (size_t i = 0; i < config->upstreams_count; i++)
        fprintf(out, "%s%s", i == 0 ? "  for     " : ",\n          ",
                config->upstreams[i].target.text);
    fprintf(out, ", %zu service%s with %zu method%s, schema from %s\n", services, plural(services),
            methods, plural(methods), schema_source(schema));
    const struct method *method = sample_method(schema);
    if (method)
        print_curl(config, method, out);
    fputs("\n", out);
    fflush(out);
}
