/* descriptor_writer: writes serialised descriptors, good and bad, as nested expressions:
 *     SET(FILE("a.proto", "acme", "proto3", MESSAGE("M", FIELD("f", 1, INT32))))
 * Pieces live until writer_reset(). */
#pragma once
#include "base/slice.h"

void writer_reset(void);
/* One field: varint, string, bytes. */
struct slice write_number(uint32_t number, uint64_t value);
struct slice write_text(uint32_t number, const char *text);
struct slice write_bytes(uint32_t number, struct slice bytes);
/* All pieces up to the one whose len is SIZE_MAX, one after the other. */
struct slice write_all(const struct slice *pieces);

#define ALL(...) write_all((const struct slice[]){__VA_ARGS__, {NULL, SIZE_MAX}})
#define NOTHING ((struct slice){NULL, 0})

#define SET(...) ALL(__VA_ARGS__)
#define BARE_FILE(name, package, syntax, ...)                                                      \
    ALL(write_text(1, name), write_text(2, package), write_text(12, syntax), __VA_ARGS__)
#define FILE_OF(name, package, syntax, ...)                                                        \
    write_bytes(1, BARE_FILE(name, package, syntax, __VA_ARGS__))
#define IMPORT(name) write_text(3, name)
#define MESSAGE(name, ...) write_bytes(4, ALL(write_text(1, name), __VA_ARGS__))
#define NESTED(name, ...) write_bytes(3, ALL(write_text(1, name), __VA_ARGS__))
#define ENUM(name, ...) write_bytes(5, ALL(write_text(1, name), __VA_ARGS__))
#define VALUE(name, number) write_bytes(2, ALL(write_text(1, name), write_number(2, number)))
#define SERVICE(name, ...) write_bytes(6, ALL(write_text(1, name), __VA_ARGS__))
#define METHOD(name, input, output)                                                                \
    write_bytes(2, ALL(write_text(1, name), write_text(2, input), write_text(3, output)))
/* Inside MESSAGE; more pieces may follow the type: label, type_name, options. */
#define FIELD(name, number, ...)                                                                   \
    write_bytes(2, ALL(write_text(1, name), write_number(3, number), __VA_ARGS__))
#define EXTENSION(name, number, extendee, ...)                                                     \
    write_bytes(7, ALL(write_text(1, name), write_number(3, number), write_text(2, extendee),      \
                       __VA_ARGS__))
#define ONEOF(name, ...) write_bytes(8, ALL(write_text(1, name), __VA_ARGS__))
#define TYPE(kind) write_number(5, kind)
#define INT32 TYPE(5)
#define STRING TYPE(9)
#define REPEATED write_number(4, 3)
#define OF_MESSAGE(name) TYPE(11), write_text(6, name)
#define OF_ENUM(name) TYPE(14), write_text(6, name)
#define IN_ONEOF(index) write_number(9, index)
#define JSON_NAME(name) write_text(10, name)
/* An options message with features: `options` is its number in the descriptor. */
#define FEATURES(options, number, ...) write_bytes(options, write_bytes(number, ALL(__VA_ARGS__)))
