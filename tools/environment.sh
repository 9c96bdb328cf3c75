# Sourced by the scripts beside it: where things are, how many cores, and what MPI and ccache need.
# shellcheck shell=bash
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit 1

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }
warn() { say "$@" >&2; }
die() {
  warn "$@"
  exit 1
}

# timed WHAT COMMAND...: runs it and says how long it took, if that is worth a line.
timed() {
  local what=$1 begin=$SECONDS
  shift
  "$@"
  [ $((SECONDS - begin)) -lt 2 ] || say "$what took $((SECONDS - begin)) s"
}

# Root installs for every user of the machine, unless told where.
for_all=
if [ "$(id -u)" -eq 0 ] && [ -z "${XDG_CACHE_HOME:-}" ]; then for_all=1; fi

# A home to keep LibTorch in, also where HOME is unset (containers, cron) or cannot be written to.
if [ -z "${HOME:-}" ]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6) || HOME=
  export HOME=${HOME:-$ROOT/build-cache}
fi
cache_root=${XDG_CACHE_HOME:-$HOME/.cache}
if ! mkdir -p "$cache_root/svi" 2> /dev/null || [ ! -w "$cache_root/svi" ]; then
  export XDG_CACHE_HOME=$ROOT/build-cache
  cache_root=$XDG_CACHE_HOME
  mkdir -p "$cache_root/svi" || die "neither the home folder nor $ROOT can be written to"
fi
CACHE=$cache_root/svi
# shellcheck disable=SC2034  # for those who source this
ANALYSIS=$CACHE/analysis-venv

# pip writes RECORD last: with it the package is whole.
torch_is_whole() {
  local site
  for site in "$1"/lib/python3*/site-packages; do
    [ -s "$site/torch-$TORCH_VERSION.dist-info/RECORD" ] && [ -s "$site/torch/lib/libtorch_cpu.so" ] && return 0
  done
  return 1
}

# LibTorch is where it is, the user's own first; where it is not yet, root's place or the user's.
TORCH_VERSION=2.11.0
TORCH=$CACHE/torch-$TORCH_VERSION
if ! torch_is_whole "$TORCH"; then
  everyone=/usr/local/lib/svi/torch-$TORCH_VERSION
  if [ -n "$for_all" ] || torch_is_whole "$everyone"; then TORCH=$everyone; fi
fi

# nproc would take OMP_NUM_THREADS for the number of cores.
CORES=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)

# One compiler needs up to 1.5 GB: no more of them than fit.
build_jobs() {
  local fit
  fit=$(awk '/^MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
  [ "${fit:-1}" -ge 1 ] || fit=1
  echo "${SVI_JOBS:-$((CORES < fit ? CORES : fit))}"
}

# Precompiled headers and other folders' builds of the same source hit the cache, too.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros,include_file_mtime,include_file_ctime}
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$ROOT} CCACHE_NOHASHDIR=1

# One thread per rank; ranks that wait let others work; no refusal because of few cores or of root.
export OMP_NUM_THREADS=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# Seconds in which ranks that are asked to end can save what they have; OpenMPI's own default is 1.
export OMPI_MCA_odls_base_sigkill_timeout=${OMPI_MCA_odls_base_sigkill_timeout:-10}
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
