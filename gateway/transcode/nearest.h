/* nearest: finds the known name that someone who wrote an unknown one most likely meant. */
#pragma once
#include "gateway/schema/types.h"

/* Empty when no name is near. */
struct slice nearest_field(const struct message_type *type, struct slice wanted);
struct slice nearest_enum_value(const struct enum_type *type, struct slice wanted);
