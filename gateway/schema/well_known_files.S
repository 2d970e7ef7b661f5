/* The bytes behind well_known_files.c; made by protoc (gateway/CMakeLists.txt). */
    .section .rodata
    .global drawbridge_well_known_start
    .global drawbridge_well_known_end
    .hidden drawbridge_well_known_start
    .hidden drawbridge_well_known_end
drawbridge_well_known_start:
    .incbin "well_known.binpb"
drawbridge_well_known_end:
    .section .note.GNU-stack, "", %progbits
