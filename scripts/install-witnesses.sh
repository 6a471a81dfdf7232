#!/usr/bin/env bash
# Installs what the interop, chaos, long-line, browser and bench suites use and npm does not bring: Debian packages (when
# root), a library with which the emulated line calls the kernel, the Go and Python clients that bear witness to our
# simulators, and a kernel for the boot proof. Safe to run again at any time: what is there is left alone. Everything that is not a Debian package goes below .cache/witnesses.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=$PWD/test/interop/witnesses
cache=$PWD/.cache/witnesses
mkdir -p "$cache/bin" "$cache/stamps"
problems=0
say() { printf 'witnesses: %s\n' "$*"; }
trouble() {
  printf 'witnesses: MISSING %s\n' "$*" >&2
  problems=$((problems + 1))
}

# --- Debian packages ---------------------------------------------------------------------------------------------------
packages=(
  busybox-static chromium curl e2fsprogs extlinux faketime fdisk iperf3 iproute2 iputils-ping kmod mount nginx-light openssh-client
  openssh-server openssl postgresql rsync python3 python3-venv qemu-system-x86 qemu-utils rclone syslinux-common time
)
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
wanted=()
if command -v dpkg-query >/dev/null; then
  for package in "${packages[@]}"; do installed "$package" || wanted+=("$package"); done
else
  trouble "dpkg: install by other means: ${packages[*]}"
fi
listed=0
refresh_lists() {
  [ "$listed" = 1 ] || apt-get -qq update
  listed=1
}
if [ "${#wanted[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then
    say "Debian packages: ${wanted[*]}"
    # Servers among them are for benches only: none is started by its installation.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
    fi
    refresh_lists
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${wanted[@]}" >/dev/null
  else
    trouble "Debian packages (as root: apt-get install ${wanted[*]})"
  fi
fi

# --- the boot proof's kernel: unpacked, never installed ----------------------------------------------------------------
kernel() {
  [ -e "$cache/kernel/complete" ] && return
  command -v apt-get >/dev/null || return 1
  say 'a kernel for the boot proof'
  local work fetched=1
  rm -rf "$cache/kernel"
  mkdir -p "$cache/kernel/lib"
  work=$(mktemp -d)
  # The download runs as Debian's unprivileged user where it can, so it must be able to write here.
  chmod 777 "$work"
  download "$work" || { [ "$(id -u)" = 0 ] && refresh_lists && download "$work"; } || fetched=0
  [ "$fetched" = 1 ] &&
    dpkg-deb -x "$work"/*.deb "$work/unpacked" &&
    mv "$work"/unpacked/boot/vmlinuz-* "$cache/kernel/vmlinuz" &&
    mv "$work/unpacked/lib/modules" "$cache/kernel/lib/modules" &&
    PATH=$PATH:/usr/sbin:/sbin depmod -b "$cache/kernel" "$(ls "$cache/kernel/lib/modules")" &&
    touch "$cache/kernel/complete"
  rm -rf "$work"
  [ -e "$cache/kernel/complete" ]
}
download() {
  local name
  name=$(kernel_package) && (cd "$1" && apt-get -qq download "$name" 2>/dev/null)
}
kernel_package() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null | grep -o 'linux-image-[0-9][^ ]*' | head -n 1 | grep .
}
kernel || trouble 'the kernel package of Debian (linux-image-cloud-amd64) for the boot proof'

# --- koffi: calls into the C library for the emulated line; its binaries are packages of their own, no script runs --------
koffi_version=3.3.4
stamp=$cache/stamps/koffi
if [ "$(cat "$stamp" 2>/dev/null)" != "$koffi_version" ]; then
  say "koffi $koffi_version"
  mkdir -p "$cache/koffi"
  if npm install --silent --ignore-scripts --no-save --prefix "$cache/koffi" "koffi@$koffi_version"; then
    printf '%s\n' "$koffi_version" >"$stamp"
  else
    trouble "koffi $koffi_version, from npm"
  fi
fi

# --- Go: govc exactly as released, and two small programs on VMware's SDKs -----------------------------------------------
govc_version=v0.46.3
if command -v go >/dev/null; then
  stamp=$cache/stamps/govc
  if [ ! -x "$cache/bin/govc" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$govc_version" ]; then
    say "govc $govc_version (minutes at the first time)"
    GOBIN=$cache/bin go install -ldflags='-s -w' "github.com/vmware/govmomi/govc@$govc_version"
    printf '%s\n' "$govc_version" >"$stamp"
  fi
  stamp=$cache/stamps/go
  sum=$(cd "$sources" && cat go.mod go.sum ./*/*.go | sha256sum)
  if [ ! -x "$cache/bin/vcsim" ] || [ ! -x "$cache/bin/vcd-dance" ] || [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
    say 'vcsim and vcd-dance'
    (cd "$sources" && go build -ldflags='-s -w' -o "$cache/bin/" ./vcsim ./vcd-dance)
    printf '%s\n' "$sum" >"$stamp"
  fi
else
  trouble 'go 1.24 or newer: without it there is no govc, no vcsim and no vcd-dance'
fi

# --- Python: pyvmomi, pyvcloud, vcd-cli, schemathesis ------------------------------------------------------------------------------------
# venv FOLDER COMMAND LIST WHAT: the packages of a list in a folder of their own, which then holds the command.
venv() {
  local stamp=$cache/stamps/$1 sum
  sum=$(sha256sum <"$sources/$3")
  [ -x "$cache/$1/bin/$2" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  say "$4"
  rm -rf "${cache:?}/$1"
  python3 -m venv "$cache/$1"
  "$cache/$1/bin/pip" install --quiet --disable-pip-version-check -r "$sources/$3"
  printf '%s\n' "$sum" >"$stamp"
}
if command -v python3 >/dev/null; then
  venv python vcd python.txt 'pyvmomi, pyvcloud and vcd-cli'
  venv schemathesis schemathesis schemathesis.txt schemathesis
else
  trouble 'python3: without it there is no pyvmomi, no vcd-cli and no schemathesis'
fi

if [ "$problems" -gt 0 ]; then
  say "$problems missing: the tests that need them are skipped, and fail where CI is set" >&2
  [ "${CI:-}" = true ] && exit 1
fi
say "all there is in ${cache#"$PWD"/}"
