# SPDX-License-Identifier: GPL-2.0-only
#
# Kbuild builds the module; this file is for people. "make help" lists it all.

KERNEL ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KERNEL)/build
PREFIX ?= /usr/local

name := $(shell sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' dkms.conf)
version := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms_source := $(DESTDIR)/usr/src/$(name)-$(version)
man := $(DESTDIR)$(PREFIX)/share/man/man4/subpage_vfio_pci.4
# As the kernel was built: with clang alone, or with all of LLVM's tools. LLVM=-19 names another version.
kernel_has = $(shell grep -sx CONFIG_$(1)=y $(KDIR)/include/config/auto.conf)
ifndef LLVM
compiler = $(if $(call kernel_has,CC_IS_CLANG),$(if $(call kernel_has,LD_IS_LLD),LLVM=1,CC=clang))
endif
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) $(compiler)

all: module cli ## Build the module for the running kernel (KERNEL=, KDIR=) and the command

module:
	@test -d $(KDIR) || { echo "$(KDIR) is missing: apt-get install linux-headers-$(KERNEL)" >&2; exit 1; }
	$(kbuild) modules

cli:
	$(MAKE) -C src/cli

install: all module-install module-man ## Install both; DESTDIR= and PREFIX= as usual, KERNEL= for another kernel
	$(MAKE) -C src/cli install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

module-install:
	$(kbuild) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates modules_install

module-man:
	install -D -m 644 doc/subpage_vfio_pci.4 $(man)

dkms-source:
	install -d $(dkms_source)/src/driver $(dkms_source)/include/uapi/linux
	install -m 644 Kbuild dkms.conf LICENSE $(dkms_source)
	install -m 644 $(wildcard src/driver/*.[ch]) $(dkms_source)/src/driver
	install -m 644 include/subpage_states.h $(dkms_source)/include
	install -m 644 include/uapi/linux/subpage_vfio_pci.h $(dkms_source)/include/uapi/linux
	install -m 755 scripts/prefer $(dkms_source)

dkms-install: dkms-source module-man ## Have DKMS build and install the module, now and after each kernel upgrade
	@command -v dkms >/dev/null || { echo "DKMS is missing: install it, and the headers of $(KERNEL): README.md, rpm/README.md" >&2; exit 1; }
	dkms install $(name)/$(version) -k $(KERNEL) || { status=$$?; [ $$status != 77 ] || \
		echo "Linux $(KERNEL) is not supported: use 6.1 or newer, or RHEL 9's, built with CONFIG_VFIO_PCI" >&2; exit $$status; }

dkms-remove: ## Undo dkms-install, for all kernels
	dkms remove $(name)/$(version) --all
	rm -r $(dkms_source)
	rm -f $(man)

demo: ## See what it does, in a virtual machine (needs root or sudo)
	scripts/demo

check: ## Run the tests (needs root or sudo for packages); SCENARIOS=help lists them
	scripts/check

check-slow: ## Run what takes long: kernels that watch, by clang, for real time; 10 000 binds; POWER guests; driverctl, libvirt, DPDK
	scripts/check slow

soak: ## Run storms, surprises and random calls for an hour (SOAK_S=seconds, SOAK_SEED=number)
	SOAK_S=$${SOAK_S:-3600} SCENARIOS="soak soak_hotplug" scripts/check

coverage: ## Run what the debug kernel runs; each line of the module that never ran must be named in tests/vm/never_run
	scripts/coverage

bench: ## Measure it against stock vfio-pci: tables and pictures in build/bench (about 20 minutes)
	scripts/bench

static: ## Run the static checks alone: W=1, sparse, coccinelle, checkpatch, kernel-doc, shellcheck, codespell
	scripts/static

deb: ## Build the Debian packages, into build/deb
	scripts/deb

rpm: ## Build the RPM packages, into build/rpm
	scripts/rpm

dist: ## Write a release, into build/dist: tarball, PKGBUILD, NEWS, checksums
	scripts/dist

clean: ## Remove what was built here; the cache of kernels stays
	rm -rf build
	find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name Module.symvers -o -name modules.order \) -exec rm -f {} +

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: all module cli install module-install module-man dkms-source dkms-install dkms-remove demo check check-slow soak coverage bench static deb rpm dist clean help
