/* well_known_files: descriptors of google/protobuf, google/rpc and google/api, embedded in the
 * program.  They stand in for imports that a peer left out, and let Any and error details be
 * decoded whatever the peer's files import. */
#pragma once
#include "base/slice.h"

/* A serialised FileDescriptorSet, imports before importers; static. */
struct slice well_known_files(void);
/* The serialised FileDescriptorProto of that file name; data is NULL when there is none. */
struct slice well_known_file(struct slice name);
