/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_ALIGN_H
#define SUBPAGE_ALIGN_H

/*
 * Pages for the BARs of devices that another driver is about to get: those that
 * align_for= names. The bus notifier is the last place before that driver's probe.
 */

/**
 * subpage_align_register() - begin to look out for the drivers of align_for=
 *
 * Return: 0 or a negative error.
 */
int subpage_align_register(void);
void subpage_align_unregister(void);

#endif /* SUBPAGE_ALIGN_H */
