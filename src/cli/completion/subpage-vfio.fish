# SPDX-License-Identifier: GPL-2.0-only
# fish completion for subpage-vfio(8). What there is to complete the program says itself.

function __subpage_vfio_command
    set -l words (commandline -opc)
    test (count $words) -gt 1; and echo $words[2]
end

# Each option with its help; "-o, --output LIST    print ..." is one line.
function __subpage_vfio_options
    subpage-vfio (__subpage_vfio_command) --help 2>/dev/null |
        string match -rg '^  (?:-\w, )?(--[a-z-]+)(?:\[\S+| [A-Z]+)? +(.*)' | paste - -
end

# Is the word before an option that takes a value?
function __subpage_vfio_value
    set -l before (commandline -opc)[-1]
    string match -q -- '-*' $before; and subpage-vfio (__subpage_vfio_command) --help 2>/dev/null |
        string match -rq -- "^  (?:-\w, )?$before [A-Z]|^  $before, --\S+ [A-Z]"
end

function __subpage_vfio_columns
    set -l before (commandline -ct | string match -r '.*[=,+]')
    subpage-vfio (__subpage_vfio_command) --help=columns 2>/dev/null |
        string match -rg '^  ([A-Z_]+) +(.*)' | paste - - | string replace -r -- '^' "$before"
end

function __subpage_vfio_devices
    for path in /sys/bus/pci/devices/*
        basename $path
    end
end

complete -c subpage-vfio -f
complete -c subpage-vfio -n 'test -z "$(__subpage_vfio_command)"' -l help -l version
complete -c subpage-vfio -n 'test -z "$(__subpage_vfio_command)"' -a "(subpage-vfio --help 2>/dev/null |
    string match -rg '^  ([a-z]+) +(.*)' | paste - -)"
complete -c subpage-vfio -n 'string match -q -- "-*" (commandline -ct); and test -n "$(__subpage_vfio_command)"' -a '(__subpage_vfio_options)'
complete -c subpage-vfio -n 'contains -- (commandline -opc)[-1] -o --output; or string match -q -- "--output=*" (commandline -ct)' -a '(__subpage_vfio_columns)'
complete -c subpage-vfio -n 'contains -- (commandline -opc)[-1] --qmp' -F
complete -c subpage-vfio -n 'contains -- (commandline -opc)[-1] --driver' -a '(path basename /sys/bus/pci/drivers/*)'
complete -c subpage-vfio -n 'not __subpage_vfio_value; and test "$(__subpage_vfio_command)" = check' -a '(__fish_complete_pids)'
complete -c subpage-vfio -n 'not __subpage_vfio_value; and contains -- "$(__subpage_vfio_command)" list bind unbind align info bench' -a '(__subpage_vfio_devices)'
