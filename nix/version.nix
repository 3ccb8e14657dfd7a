# SPDX-License-Identifier: GPL-2.0-only
# As dkms.conf has it.
builtins.head (builtins.match ''.*PACKAGE_VERSION="([^"]*)".*'' (builtins.readFile ../dkms.conf))
