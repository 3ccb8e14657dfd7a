# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion for subpage-vfio(8). What there is to complete the program says itself.

_subpage_vfio_names() {
	local path
	for path in "$1"/*; do
		[ ! -e "$path" ] || printf '%s\n' "${path##*/}"
	done
}

_subpage_vfio() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev='' cword=$COMP_CWORD program=${COMP_WORDS[0]} command words=''
	# readline takes each colon of an address, and "=", for the end of a word.
	! declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref -n := cur prev cword
	command=${COMP_WORDS[1]}
	case $cur in --*=*) prev=${cur%%=*} cur=${cur#*=} ;; esac
	if [ "$cword" = 1 ]; then
		words=$("$program" --help 2>/dev/null | awk '/^$/ { n++ } n == 2 && NF { print $1 }')
		words+=' --help --version'
	else
		case $prev in
		-o | --output)
			words=$("$program" "$command" --help=columns 2>/dev/null |
				awk '/^Columns/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
			mapfile -t COMPREPLY < <(compgen -P "${cur%"${cur##*[,+]}"}" -W "$words" -- "${cur##*[,+]}")
			return
			;;
		--driver) words=$(_subpage_vfio_names /sys/bus/pci/drivers) ;;
		--iommu-group) words=$(_subpage_vfio_names /sys/kernel/iommu_groups) ;;
		--qmp)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		-*)
			# What takes a value that nobody can guess.
			! "$program" "$command" --help 2>/dev/null | grep -qE -- "^  (-., )?$prev [A-Z]|^  $prev, --[a-z-]+ [A-Z]" || return
			;;
		esac
		case $words$cur in
		-*)
			words=$("$program" "$command" --help 2>/dev/null |
				awk '/^  -/ { gsub(",", ""); sub(/\[.*/, ""); for (i = 1; i <= 2; i++) if ($i ~ /^--/) print $i }')
			;;
		"$cur")
			if [ "$command" = check ]; then
				words=$(_subpage_vfio_names /proc | grep '^[0-9]')
			else
				words=$(_subpage_vfio_names /sys/bus/pci/devices)
			fi
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	! declare -F __ltrim_colon_completions >/dev/null || __ltrim_colon_completions "$cur"
}

complete -F _subpage_vfio subpage-vfio
