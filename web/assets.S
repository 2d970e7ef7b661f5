/* The files of the page as bytes in the binary: web_NAME to web_NAME_end. */
    .macro asset name, file
    .globl web_\name, web_\name\()_end
    .balign 16
web_\name:
    .incbin "\file"
web_\name\()_end:
    .byte 0
    .endm

    .section .rodata
    asset index_html, "index.html"
    asset app_js, "app.js"
    asset style_css, "style.css"
    asset icon_svg, "icon.svg"

    .section .note.GNU-stack, "", %progbits
