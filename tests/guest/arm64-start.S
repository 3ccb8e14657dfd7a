/* SPDX-License-Identifier: GPL-2.0-only */
	.section .text.start, "ax"
	.globl	_start
_start:
	adrp	x0, stack_top
	add	sp, x0, :lo12:stack_top
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el1, x0
	isb
	bl	guest_main

exception:
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	b	fault

	.balign	2048
vectors:
	.rept	16
	.balign	128
	b	exception
	.endr

	.section .bss
	.balign	16
	.skip	8192
stack_top:

	.section .note.GNU-stack, "", @progbits
