# SPDX-License-Identifier: GPL-2.0-only
#
# What nix/*.nix take of nixpkgs, which cannot be had here, with this machine's compiler, libraries
# and kernel headers in their place: the phases of stdenv's that build, install and check, in short.
{ kernelVersion ? "", kernelDirectory ? "" }:

let
  bash = "/bin/bash";
  mkDerivation = attributes: derivation ({
    name = "${attributes.pname}-${attributes.version}";
    system = builtins.currentSystem;
    builder = bash;
    PATH = "/usr/bin:/bin:/usr/sbin:/sbin";
    makeFlags = [ ];
    buildFlags = [ ];
    installTargets = [ "install" ];
    args = [ "-euc" ''
      cp -r --no-preserve=mode "$src" source
      cd source
      make SHELL=${bash} $makeFlags $buildFlags
      make SHELL=${bash} $makeFlags $installTargets
    '' ];
  } // removeAttrs attributes [ "meta" ]);
  licenses.gpl2Only = "GPL-2.0-only";
  platforms.linux = [ "x86_64-linux" "aarch64-linux" "powerpc64le-linux" ];
in
rec {
  stdenv = { inherit mkDerivation; };
  lib = {
    inherit licenses platforms;
    cleanSource = source: builtins.path {
      name = "source";
      path = source;
      filter = path: type: ! builtins.elem (baseNameOf path) [ ".git" "build" ];
    };
  };
  pciutils = "/usr";
  json_c = "/usr";
  util-linux = "/usr";
  kmod = "/usr";
  kernel = {
    version = kernelVersion;
    modDirVersion = kernelVersion;
    dev = kernelDirectory;
    moduleBuildDependencies = [ ];
  };
  module = import ../../nix/module.nix { inherit lib stdenv kernel; };
  command = import ../../nix/command.nix { inherit lib stdenv pciutils json_c util-linux kmod; };
}
