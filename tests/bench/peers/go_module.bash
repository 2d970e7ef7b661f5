# Sourced by the build scripts of the peers in Go, whose versions are pinned by their go.mod and go.sum.

# go_module HERE CACHE_DIR PROGRAM PROTOC_FLAG...: builds the module in HERE, with the code that protoc generates by these
# flags into its package pb, as CACHE_DIR/PROGRAM; leaves the shell in the module.
go_module() {
    local here=$1 cache=$2 program=$3
    shift 3
    command -v go >/dev/null || { echo "no Go toolchain" >&2; exit 1; }
    command -v protoc >/dev/null || { echo "no protoc (Debian: protobuf-compiler)" >&2; exit 1; }
    rm -rf "$cache/src"
    mkdir -p "$cache/src/pb" "$cache/bin"
    cp "$here"/{go.mod,go.sum,main.go} "$cache/src/"
    cd "$cache/src"
    GOBIN="$cache/bin" go install tool
    PATH="$cache/bin:$PATH" protoc -I "$here/.." --go_out=pb --go_opt=paths=source_relative "$@" square_root.proto bench.proto
    go build -o "$cache/$program" .
}
