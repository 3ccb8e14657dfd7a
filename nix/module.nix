# SPDX-License-Identifier: GPL-2.0-only
#
# The module, for a kernel of nixpkgs; on NixOS
#   boot.extraModulePackages = [ (config.boot.kernelPackages.callPackage ./nix/module.nix { }) ];
{ lib, stdenv, kernel }:

stdenv.mkDerivation {
  pname = "subpage-vfio-pci";
  version = "${import ./version.nix}-${kernel.version}";
  src = lib.cleanSource ../.;
  nativeBuildInputs = kernel.moduleBuildDependencies;
  hardeningDisable = [ "pic" "format" ];
  makeFlags = [
    "KDIR=${kernel.dev}/lib/modules/${kernel.modDirVersion}/build"
    "DESTDIR=$(out)"
    "PREFIX="
  ];
  buildFlags = [ "module" ];
  installTargets = [ "module-install" "module-man" ];

  meta = {
    description = "VFIO driver for PCI devices with BARs smaller than a page";
    license = lib.licenses.gpl2Only;
    platforms = lib.platforms.linux;
  };
}
