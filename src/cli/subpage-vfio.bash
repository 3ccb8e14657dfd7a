# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion for subpage-vfio(8)

_subpage_vfio() {
	local cur=${COMP_WORDS[COMP_CWORD]} cword=$COMP_CWORD words=() path
	# readline takes each colon of an address for the end of a word.
	! declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref -n : cur cword
	if [ "$cword" = 1 ]; then
		words=(list bind unbind info bench --help --version)
	else
		case ${COMP_WORDS[1]} in
		list | info) words=(--json --help) ;;
		bind | unbind) words=(--group --force --persist --json --help) ;;
		bench) words=(--bar --offset --json --help) ;;
		esac
		for path in /sys/bus/pci/devices/*; do
			[ "$cur" != "${cur#-}" ] || words+=("${path##*/}")
		done
	fi
	mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$cur")
	! declare -F __ltrim_colon_completions >/dev/null || __ltrim_colon_completions "$cur"
}

complete -F _subpage_vfio subpage-vfio
