/* Descriptor sets of hostile peers: whatever compiles must have tables that agree with themselves.
 */
#include "gateway/schema/schema.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct message_type *type)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        assert(f->index == i && f->oneof <= type->oneof_count);
        assert(message_type_field(type, f->number) == f);
        assert(message_type_field_by_name(type, f->json_name));
        assert(message_type_field_by_name(type, f->name));
        assert((f->kind == FIELD_MESSAGE || f->kind == FIELD_GROUP) == (f->message != NULL));
        assert((f->kind == FIELD_ENUM) == (f->enumeration != NULL));
        assert(!f->map || f->message->field_count == 2);
        if (f->enumeration)
            for (size_t v = 0; v < f->enumeration->value_count; v++)
                assert(enum_type_value(f->enumeration, f->enumeration->values[v].number));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema_builder *b = schema_builder_new();
    struct status st;
    status_ok(&st);
    struct schema *s = schema_builder_add_set(b, slice_from(data, size), "fuzz", &st)
                           ? schema_build(b, &st)
                           : NULL;
    assert(s || (st.code != STATUS_OK && st.text[0]));
    for (size_t i = 0; s && i < schema_method_count(s); i++) {
        const struct method *m = schema_method_at(s, i);
        assert(schema_method(s, m->path) == m);
        check_message(m->input);
        check_message(m->output);
        for (size_t f = 0; f < m->input->field_count; f++)
            if (m->input->fields[f].message)
                check_message(m->input->fields[f].message);
    }
    schema_unref(s);
    schema_builder_free(b);
    return 0;
}
