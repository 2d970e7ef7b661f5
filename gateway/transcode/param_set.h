/* param_set: which fields of a request its path and query have bound so far, to refuse a field that
 * is given twice and two members of one oneof.  Paths are kept as a tree of hops in one hash set,
 * so that many parameters cost no more than their number. */
#pragma once
#include "gateway/schema/field_path.h"
#include "gateway/transcode/map_keys.h"

enum param_set_result {
    PARAM_NEW,
    PARAM_TWICE, /* the path was there; that is no fault of a list */
    PARAM_ONEOF, /* another member of a oneof on the way was there */
    PARAM_MEMORY
};

struct param_set {
    struct map_keys hops;
};

void param_set_init(struct param_set *s);
void param_set_fini(struct param_set *s);
enum param_set_result param_set_add(struct param_set *s, struct field_path path);
/* An entry of the map at `path`; the key is borrowed until param_set_fini(). */
enum param_set_result param_set_add_entry(struct param_set *s, struct field_path path,
                                          struct slice key);
