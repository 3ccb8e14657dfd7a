# SPDX-License-Identifier: GPL-2.0-only
#
# The pictures of "bench", out of the *.dat that bench-report has written: a median and its
# quartiles a driver. A driver has one colour in all of them; the key is the line at the bottom.
load "n.gnuplot"
set datafile separator "\t"
set datafile missing "?"
array name[6] = ["no guest, or no driver", "vfio-pci", "vfio-pci, resource_alignment", "subpage_vfio_pci", \
	"vfio-pci, aligned, table relocated by hand", "subpage_vfio_pci, moving the BAR"]
array colour[6] = ["#333333", "#b0413e", "#d98e04", "#2f6690", "#16a085", "#8e7cc3"]
set border 3
set format y "%.0f"
set tics nomirror
set grid ytics lc rgb "#dddddd"
set bars 0.6
set pointsize 0.8
set key off
set bmargin 5
median(n) = 2 + 3 * n
# Words of the key, from left to right: which names, and where each starts.
key_of(which, at) = sprintf("do for [i=1:words('%s')] { set label i \"\\342\\227\\217 \".name[word('%s', i) + 0] at screen word('%s', i) + 0,0.05 tc rgb colour[word('%s', i) + 0] }", which, which, at, which)

set terminal svg size 960,420 font "sans,13" background "white" noenhanced
set output "access.svg"
set multiplot layout 1,2 title "One read of a register (sdhci, a BAR of 256 bytes that shared its page): medians, quartiles"
set logscale y
set yrange [50:1000000]
set ylabel "ns, logarithmic"
array of_access[4] = [2, 3, 4, 1]
do for [panel in "user guest"] {
	set title panel eq "user" ? "in user space of the host".n_user : "in a guest under KVM".n_guest
	if (panel eq "guest") { set ylabel; eval key_of("2 3 4 1", "0.08 0.21 0.49 0.71") }
	set xrange [-0.5:(panel eq "user" ? 2.5 : 1.5)]
	file = "access-".panel.".dat"
	plot file skip 1 using 0:(50):xtic(1) with dots, \
		for [n=0:(panel eq "user" ? 3 : 2)] file skip 1 using ($0 + 0.14 * (n - 1.5)):median(n):median(n)+1:median(n)+2 \
		with yerrorbars pt 7 lw 1.5 lc rgb colour[of_access[n + 1]]
}
unset multiplot
unset label
unset logscale y

set output "disk.svg"
set multiplot layout 1,2 title "Random reads of 4K in a guest, 32 at a time, of an NVMe with registers and MSI-X table in its 16K BAR".n_disk
set ylabel "reads a second: medians, quartiles"
set yrange [0:*]
set boxwidth -2
set style fill solid 0.6 border
array of_disk[3] = [2, 4, 5]
do for [file in "disk.dat injected.dat"] {
	lines = system("wc -l <".file) + 0
	if (lines > 1) {
		set title file eq "disk.dat" ? "interrupts through the host" : "interrupts injected (GICv4), an instruction a ns"
		set xrange [-0.6:lines - 1.4]
		if (file ne "disk.dat") { set ylabel } else { eval key_of("1 2 4 5", "0.06 0.29 0.4 0.6") }
		plot file skip 1 using ($0 - 0.45):2:(0.9):(0) with vectors nohead lw 2 dt 2 lc rgb colour[1], \
			file skip 1 using 0:(0):xtic(1) with dots, \
			for [n=1:3] file skip 1 using ($0 + 0.25 * (n - 2)):median(n):median(n)+1:median(n)+2:(0.2) \
			with boxerrorbars lc rgb colour[of_disk[n]]
	}
}
unset multiplot
unset label

set output "bind.svg"
set terminal svg size 1100,420 font "sans,13" background "white" noenhanced
set logscale xy
set yrange [50:30000]
set xrange [0.8:300]
set xtics (1, 8, 64, 232)
set xlabel "functions, one after the other"
set ylabel "1000 instructions a function, logarithmic"
set grid xtics ytics lc rgb "#dddddd"
set bmargin 7
array of_bind[4] = [2, 3, 6, 4]
pages = system("ls bind-*.dat 2>/dev/null | sed 's/bind-//; s/.dat//' | sort -n")
set multiplot layout 1, words(pages) title "Binding a function: medians, quartiles".n_bind
do for [page in pages] {
	set title sprintf("%dK pages", page / 1024)
	if (page ne word(pages, 1)) { set ylabel } else { eval key_of("2 3 6 4", "0.1 0.2 0.46 0.73") }
	file = "bind-".page.".dat"
	plot for [n=0:3] file skip 1 using 1:median(n):median(n)+1:median(n)+2 with yerrorlines pt 7 ps 0.6 lw 1.5 \
		lc rgb colour[of_bind[n + 1]]
}
unset multiplot
