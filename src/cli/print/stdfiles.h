/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_STDFILES_H
#define CLI_STDFILES_H

/*
 * Before anything else is opened: no file of a device may become number 0, 1 or 2, or
 * a message would be written into its registers. From then on a program that has not
 * been able to print all ends with CODE_FAILED, unless with another error.
 */
void stdfiles_open(void);

#endif
