# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion for subpage-vfio(8)

_subpage_vfio() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=() path
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'list bind unbind info bench --help --version' -- "$word")
		return
	fi
	case $command in
	list | info) words=(--json --help) ;;
	bind | unbind) words=(--group --force --persist --json --help) ;;
	bench) words=(--bar --offset --json --help) ;;
	esac
	for path in /sys/bus/pci/devices/*; do
		[ "$word" != "${word#-}" ] || words+=("${path##*/}")
	done
	mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$word")
	# readline ends a word at each colon, so what it has already must go.
	declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "$word"
	return 0
}

complete -F _subpage_vfio subpage-vfio
