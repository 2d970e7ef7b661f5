/* patch_mask: the FieldMask of a PATCH request whose client gives none: the paths of the leaves
 * that its JSON body sets ("deep.id", not "deep"), in proto names (field_mask.proto). */
#pragma once
#include "base/buf.h"
#include "gateway/schema/types.h"
#include "grpc/status.h"

/* Appends `mask` with the paths in `json`, an object that json_field_to_wire() has accepted as a
 * message of this type.  Fields that are not known are passed over.  Nothing is written when there
 * is no path.  False with RESOURCE_EXHAUSTED, or INVALID_ARGUMENT when `json` is no such object. */
bool patch_mask_write(const struct field *mask, const struct message_type *type, struct slice json,
                      struct buf *out, struct status *st);
