/* The serialised FileDescriptorSet of everything that is served, for reflection. */
    .section .rodata
    .globl descriptors_begin, descriptors_end
descriptors_begin:
    .incbin "calculator.binpb"
descriptors_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
