#!/usr/bin/env bash
# Compiles the stubs of languages that have no package of their own here, run by hand:
#   clients/other/compile.sh cpp       with g++, and Debian's protoc and libraries (libgrpc++-dev, libprotobuf-dev,
#                                      protobuf-compiler-grpc): the stubs of one protoc fit no other's library
#   clients/other/compile.sh csharp    reads the messages with Debian's mono-mcs; the library they need is only in NuGet
#   clients/other/compile.sh kotlin    with Maven, which brings the compiler of Kotlin, and the protoc of `make install`
# What it makes is in build/other.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
out=$root/build/other/${1-}

cpp() {
  local file object
  # By an image, because Debian's protoc does not know the option debug_redact in the files themselves. Google's own files
  # too: Debian has no library of them.
  cd "$root/protos"
  "$root/.venv/bin/protoc" -I . -I include --include_imports -o "$out/image.binpb" giftcard/v1/*.proto google/rpc/error_details.proto
  /usr/bin/protoc --descriptor_set_in="$out/image.binpb" --cpp_out="$out" --grpc_out="$out" \
    --plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin $(ls giftcard/v1/*.proto; cd include && find google -name '*.proto')
  cd "$out"
  for file in $(find . -name '*.cc'); do
    object=${file%.cc}.o
    echo "$file"
    g++ -std=c++17 -O0 -I . -c "$file" -o "$object"
  done
  cp "$root/clients/other/balance.cc" .
  g++ -std=c++17 -O0 -I . balance.cc $(find . -name '*.o') -o balance $(pkg-config --libs grpc++ protobuf)
  echo "$out/balance HOST:PORT CARD reads a balance"
}

csharp() {
  cd "$root/protos"
  "$root/.venv/bin/protoc" -I . -I include --csharp_out="$out" --csharp_opt=base_namespace= giftcard/v1/*.proto
  find "$out" -name '*.cs' -print0 | xargs -0 mcs --parse
  find "$out" -name '*.cs' | wc -l | xargs echo "files of C# read without an error:"
}

kotlin() {
  cd "$root/protos"
  "$root/.venv/bin/protoc" -I . -I include --java_out="$out" --kotlin_out="$out" giftcard/v1/*.proto
  mvn -B -q -C -f "$root/clients/other/kotlin.pom.xml" -Dstubs="$out" -DbuildDirectory="$out/target" compile
  find "$out/target/classes/example" -name '*Kt.class' | wc -l | xargs echo "classes of Kotlin:"
}

case "${1-}" in
  cpp | csharp | kotlin)
    rm -rf "$out"
    mkdir -p "$out"
    "$1"
    ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$root/clients/other/compile.sh" >&2
    exit 2
    ;;
esac
