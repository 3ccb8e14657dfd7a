# SPDX-License-Identifier: GPL-2.0-only
#
# Usage: zsh -f complete.zsh TOP LINE
#
# Give zsh at a terminal the line, a tab and a return; print what it shows.
zmodload zsh/zpty
zpty shell "zsh -f -i"
zpty -w shell "PATH=$1/build/cli:\$PATH; fpath=($1/src/cli/completion \$fpath); autoload -U compinit; compinit -u -D; echo rea''dy"
zpty -r -m shell line "*ready*"
zpty -w -n shell "$2"$'\t\n'
zpty -w shell "echo do''ne"
zpty -r -m shell line "*done*"
print -r -- "$line"
