/* SPDX-License-Identifier: GPL-2.0-only */
#define MULTIBOOT_MAGIC 0x1badb002

	.section .multiboot, "a"
	.balign	4
	.long	MULTIBOOT_MAGIC
	.long	0			/* flags */
	.long	-MULTIBOOT_MAGIC	/* checksum */

	.section .text.start, "ax"
	.globl	_start
_start:
	movl	$stack_top, %esp
	call	guest_main

	.section .bss
	.balign	16
	.skip	8192
stack_top:

	.section .note.GNU-stack, "", @progbits
