# SPDX-License-Identifier: GPL-2.0-only
#
# The command, for nixpkgs: pkgs.callPackage ./nix/command.nix { }
{ lib, stdenv, pciutils, json_c, util-linux, kmod }:

stdenv.mkDerivation {
  pname = "subpage-vfio";
  version = import ./version.nix;
  src = lib.cleanSource ../.;
  buildInputs = [ pciutils json_c util-linux kmod ];
  makeFlags = [ "-C" "src/cli" "PREFIX=$(out)" "SBINDIR=$(out)/bin" ];

  meta = {
    description = "Find, bind and measure PCI devices with BARs smaller than a page";
    license = lib.licenses.gpl2Only;
    platforms = lib.platforms.linux;
    mainProgram = "subpage-vfio";
  };
}
