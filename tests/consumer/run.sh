#!/usr/bin/env bash
# Installs svi into an empty folder, builds the plugin beside this script and two of svi's own against it, and has the
# installed program load them.   run.sh CMAKE BUILD_FOLDER CXX_COMPILER
set -euo pipefail
cmake=$1 build=$2 compiler=$3
source=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/svi consumer XXXXXX")  # with spaces, as folders of users may have them
trap 'rm -rf "$work"' EXIT
fail() {
  echo "consumer: $*" >&2
  exit 1
}
expect() {  # expect FRAGMENT COMMAND...
  local fragment=$1
  shift
  "$@" > "$work/output" 2>&1 || fail "failed: $*"$'\n'"$(tail -n 20 "$work/output")"
  grep -q -- "$fragment" "$work/output" || fail "no '$fragment' in the output of: $*"$'\n'"$(tail -n 20 "$work/output")"
}

"$cmake" --install "$build" --prefix "$work/prefix" > "$work/install.log" || fail "cmake --install failed"
"$cmake" -G Ninja -S "$source" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_BUILD_TYPE=Release -DSVI_PLUGIN_SOURCES="$source/../../plugins" \
  -DCMAKE_CXX_COMPILER="$compiler" > "$work/configure.log" 2>&1 || fail "$(cat "$work/configure.log")"
"$cmake" --build "$work/build" > "$work/build.log" 2>&1 || fail "$(tail -n 30 "$work/build.log")"

# Nothing installed may lean on the build tree, which its user may delete.
while read -r file; do
  ! readelf -d "$file" 2> /dev/null | grep -E 'R(UN)?PATH' | grep -qF "$build" || fail "$file looks for libraries in $build"
done < <(find "$work/prefix" -type f \( -perm -u+x -o -name '*.so*' \))

svi=$work/prefix/bin/svi-experiment
plugin=$work/build/half_residual.so
cd "$work"
expect "half" "$svi" --plugin "$plugin" --list
expect "share" "$svi" --plugin "$plugin" --describe error_source.half
expect "clipped" "$svi" --plugin clipped_residual --list  # an installed one, by its name
expect "pocket_world" "$svi" --describe data.pocket_world  # the one that nobody has to name
expect "fits" "$work/prefix/bin/svi-generate" --validate --out "$work/film.mp4"
for ini in experiments/ablation_eimg plugins/pocket/pocket_base plugins/svi_talk/talk; do
  (cd "$work/prefix/share/svi" && expect "valid;" "$svi" $ini.ini --validate)
done

# Those of svi's tree, in place of the installed ones.
find "$work/prefix" \( -name noise_rolling.so -o -name feature_consistency.so \) -delete
for which in method.noise_rolling:lookahead metric.feature_consistency:sha256; do
  component=${which%:*} option=${which#*:}
  plugin=$work/build/${component#*.}/${component#*.}.so
  expect "${component#*.}" "$svi" --plugin "$plugin" --list
  expect "$option" "$svi" --plugin "$plugin" --describe "$component"
done

printf 'not a library' > "$work/broken.so"
code=0
"$svi" --plugin "$work/broken.so" --list > "$work/output" 2>&1 || code=$?
[ "$code" -eq 2 ] || fail "a broken plugin gave exit code $code instead of 2"
echo "consumer: plugins built out of tree work with the installed package"
