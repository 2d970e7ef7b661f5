#include "gateway/schema/openapi_schema.h"

#include <float.h>
#include <stdlib.h>

/* A component that waits to be written; one of both is NULL. */
struct openapi_type {
    const struct message_type *message;
    const struct enum_type *enumeration;
};

static json_t *integer(const char *format, json_int_t min, json_int_t max)
{
    return json_pack("{ss ss sI sI}", "type", "integer", "format", format, "minimum", min,
                     "maximum", max);
}

static json_t *number(const char *format, double max)
{
    return json_pack("{s[{ss ss sf sf} {ss s[sss]}]}", "anyOf", "type", "number", "format", format,
                     "minimum", -max, "maximum", max, "type", "string", "enum", "NaN", "Infinity",
                     "-Infinity");
}

/* 64 bits do not fit into the numbers of JavaScript, so they are texts unless that is wanted. */
static json_t *long_integer(const struct openapi *o)
{
    if (o->options->int64_as_numbers)
        return integer("int64", INT64_MIN, INT64_MAX);
    return json_pack("{ss ss ss}", "type", "string", "format", "int64", "pattern",
                     "^-?(0|[1-9][0-9]{0,18})$");
}

static json_t *long_unsigned(const struct openapi *o)
{
    if (o->options->int64_as_numbers)
        return json_pack("{ss ss si sf}", "type", "integer", "format", "uint64", "minimum", 0,
                         "exclusiveMaximum", 0x1p64);
    return json_pack("{ss ss ss}", "type", "string", "format", "uint64", "pattern",
                     "^(0|[1-9][0-9]{0,19})$");
}

static json_t *scalar(const struct openapi *o, enum field_kind kind)
{
    switch (kind) {
    case FIELD_DOUBLE:
        return number("double", DBL_MAX);
    case FIELD_FLOAT:
        return number("float", FLT_MAX);
    case FIELD_INT32:
    case FIELD_SINT32:
    case FIELD_SFIXED32:
        return integer("int32", INT32_MIN, INT32_MAX);
    case FIELD_UINT32:
    case FIELD_FIXED32:
        return integer("uint32", 0, UINT32_MAX);
    case FIELD_INT64:
    case FIELD_SINT64:
    case FIELD_SFIXED64:
        return long_integer(o);
    case FIELD_UINT64:
    case FIELD_FIXED64:
        return long_unsigned(o);
    case FIELD_BOOL:
        return json_pack("{ss}", "type", "boolean");
    case FIELD_BYTES:
        return json_pack("{ss ss}", "type", "string", "contentEncoding", "base64");
    default:
        return json_pack("{ss}", "type", "string");
    }
}

static json_t *component(struct openapi *o, struct slice name, struct openapi_type type)
{
    const char *key = (const char *)name.data;
    if (!json_object_getn(o->schemas, key, name.len) && openapi_count(o)) {
        o->failed |= json_object_setn_new(o->schemas, key, name.len, json_object()) < 0 ||
                     buf_append(&o->waiting, &type, sizeof type) < 0;
    }
    return json_pack("{ss}", "$ref",
                     arena_printf(&o->arena, "#/components/schemas/%.*s", SLICE_PRINT(name)));
}

json_t *openapi_schema_message(struct openapi *o, const struct message_type *type)
{
    if (type->well_known == WELL_KNOWN_WRAPPER)
        return scalar(o, type->fields[0].kind);
    return component(o, type->full_name, (struct openapi_type){.message = type});
}

/* One element of a list, one value of a map, or the field itself. */
static json_t *element(struct openapi *o, const struct field *f)
{
    if (f->message)
        return openapi_schema_message(o, f->message);
    if (f->enumeration && f->enumeration->null_value)
        return json_pack("{ss}", "type", "null");
    if (f->enumeration)
        return component(o, f->enumeration->full_name,
                         (struct openapi_type){.enumeration = f->enumeration});
    return scalar(o, f->kind);
}

/* Keys of JSON objects are texts, whatever the map's. */
static json_t *map_keys(enum field_kind kind)
{
    if (kind == FIELD_STRING)
        return NULL;
    if (kind == FIELD_BOOL)
        return json_pack("{s[ss]}", "enum", "true", "false");
    return json_pack("{ss}", "pattern", "^-?(0|[1-9][0-9]{0,19})$");
}

json_t *openapi_schema_field(struct openapi *o, const struct field *f)
{
    if (f->map)
        return json_pack("{ss so* so}", "type", "object", "propertyNames",
                         map_keys(f->message->fields[0].kind), "additionalProperties",
                         element(o, &f->message->fields[1]));
    if (f->repeated)
        return json_pack("{ss so}", "type", "array", "items", element(o, f));
    return element(o, f);
}

/* Of the members of a oneof at most one is there. */
static json_t *oneof_rule(struct openapi *o, json_t *members)
{
    json_t *choices = json_array(), *member;
    size_t i;
    json_array_foreach(members, i, member)
    {
        openapi_append(o, choices, json_pack("{s[O]}", "required", member));
    }
    json_t *none = json_pack("{s{sO}}", "not", "anyOf", choices);
    json_t *all = choices ? json_copy(choices) : NULL;
    openapi_append(o, all, none);
    json_decref(choices);
    return json_pack("{so}", "oneOf", all);
}

static void write_oneofs(struct openapi *o, json_t *schema, const struct message_type *type)
{
    json_t **members = calloc(type->oneof_count + 1u, sizeof(json_t *));
    json_t *rules = json_array();
    for (size_t i = 0; members && i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        if (f->oneof == 0)
            continue;
        if (!members[f->oneof])
            members[f->oneof] = json_array();
        openapi_append(o, members[f->oneof], openapi_string(openapi_field_name(o, f)));
    }
    for (size_t i = 0; members && i <= type->oneof_count; i++) {
        if (json_array_size(members[i]) > 1)
            openapi_append(o, rules, oneof_rule(o, members[i]));
        json_decref(members[i]);
    }
    o->failed |= !members;
    free(members);
    if (json_array_size(rules) > 0)
        openapi_put(o, schema, "allOf", json_incref(rules));
    json_decref(rules);
}

static void write_fields(struct openapi *o, json_t *schema, const struct message_type *type)
{
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < type->field_count && openapi_count(o); i++) {
        const struct field *f = &type->fields[i];
        struct slice name = openapi_field_name(o, f);
        json_t *property = openapi_schema_field(o, f);
        openapi_describe(o, property, comments_find(&o->comments, type->full_name, f->name));
        o->failed |=
            json_object_setn_new(properties, (const char *)name.data, name.len, property) < 0;
        if (f->required)
            openapi_append(o, required, openapi_string(name));
    }
    openapi_put(o, schema, "properties", properties);
    if (json_array_size(required) > 0)
        openapi_put(o, schema, "required", json_incref(required));
    json_decref(required);
}

static struct slice type_comment(struct openapi *o, struct slice full_name)
{
    const uint8_t *dot = full_name.len ? memrchr(full_name.data, '.', full_name.len) : NULL;
    if (!dot)
        return comments_find(&o->comments, (struct slice){NULL, 0}, full_name);
    size_t len = (size_t)(dot - full_name.data);
    return comments_find(&o->comments, slice_first(full_name, len), slice_skip(full_name, len + 1));
}

/* Adds the members of a constant object. */
static void write_all(struct openapi *o, json_t *schema, json_t *members)
{
    o->failed |= json_object_update_new(schema, members) < 0;
}

static void write_message(struct openapi *o, json_t *schema, const struct message_type *type)
{
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
        write_all(o, schema, json_pack("{ss ss}", "type", "string", "format", "date-time"));
        break;
    case WELL_KNOWN_DURATION:
        write_all(o, schema,
                  json_pack("{ss ss ss}", "type", "string", "pattern",
                            "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$", "description",
                            "Seconds, with a fraction and the letter s: 1.5s"));
        break;
    case WELL_KNOWN_FIELD_MASK:
        write_all(o, schema,
                  json_pack("{ss ss}", "type", "string", "description",
                            "Paths of fields in lowerCamelCase, separated by commas"));
        break;
    case WELL_KNOWN_STRUCT:
    case WELL_KNOWN_EMPTY:
        write_all(o, schema, json_pack("{ss}", "type", "object"));
        break;
    case WELL_KNOWN_LIST_VALUE:
        write_all(o, schema, json_pack("{ss s{}}", "type", "array", "items"));
        break;
    case WELL_KNOWN_VALUE:
        write_all(o, schema, json_pack("{ss}", "description", "Any JSON value"));
        break;
    case WELL_KNOWN_ANY:
        write_all(o, schema,
                  json_pack("{ss s{s{ss ss}} ss}", "type", "object", "properties", "@type", "type",
                            "string", "description", "URL of the message's type", "description",
                            "A message of any type with its fields beside @type"));
        break;
    default:
        write_all(o, schema, json_pack("{ss sb}", "type", "object", "additionalProperties", 0));
        openapi_describe(o, schema, type_comment(o, type->full_name));
        write_fields(o, schema, type);
        write_oneofs(o, schema, type);
    }
}

/* A value as an item of the list under the enum's comment.  What says nothing beyond the schema is
 * left out: a name without a comment, unless the schema has numbers. */
static void describe_value(struct openapi *o, const struct enum_type *type,
                           const struct enum_value *value, struct buf *text)
{
    struct slice comment = comments_find(&o->comments, type->full_name, value->name);
    bool number = o->options->enums_as_numbers;
    if (comment.len == 0 && !number)
        return;
    buf_printf(text, "%s- ", buf_len(text) ? "\n" : "");
    if (number)
        buf_printf(text, "%d = ", value->number);
    buf_printf(text, "%.*s%s%.*s", SLICE_PRINT(value->name), comment.len > 0 ? ": " : "",
               SLICE_PRINT(comment));
}

static void write_enum(struct openapi *o, json_t *schema, const struct enum_type *type)
{
    enum { MAX_TEXT = 64 << 10 };
    struct buf text;
    bool number = o->options->enums_as_numbers;
    json_t *values = json_array();
    buf_init(&text, MAX_TEXT);
    buf_append_slice(&text, type_comment(o, type->full_name));
    for (size_t i = 0; i < type->value_count && openapi_count(o); i++) {
        const struct enum_value *value = &type->values[i];
        if (!number)
            openapi_append(o, values, openapi_string(value->name));
        else if (enum_type_value(type, value->number) == value) /* and no alias of another */
            openapi_append(o, values, json_integer(value->number));
        describe_value(o, type, value, &text);
    }
    openapi_put(o, schema, "type", json_string(number ? "integer" : "string"));
    openapi_put(o, schema, "enum", values);
    openapi_describe(o, schema, arena_copy(&o->arena, buf_slice(&text)));
    buf_fini(&text);
}

void openapi_schema_fill(struct openapi *o)
{
    struct openapi_type type;
    while (o->waiting.data && buf_len(&o->waiting) > 0 && !o->failed) {
        memcpy(&type, o->waiting.data + o->waiting.start, sizeof type);
        buf_consume(&o->waiting, sizeof type);
        struct slice name = type.message ? type.message->full_name : type.enumeration->full_name;
        json_t *schema = json_object_getn(o->schemas, (const char *)name.data, name.len);
        if (type.message)
            write_message(o, schema, type.message);
        else
            write_enum(o, schema, type.enumeration);
    }
}
