# SPDX-License-Identifier: GPL-2.0-only
#
# The pictures of "bench", out of the *.dat that bench-report has written.
set datafile separator "\t"
set datafile missing "?"
set style data histograms
set style histogram clustered gap 2
set style fill solid 0.9 noborder
set grid ytics lc rgb "#dddddd"
set key tmargin center horizontal samplen 1
set border 3
set tics nomirror
set bmargin 4.5
array colour[7] = ["#b0413e", "#e0a458", "#2f6690", "#16a085", "#8e7cc3", "#7f8c8d", "#333333"]

set terminal svg size 1400,460 font "sans,12" background "white" noenhanced
set output "access.svg"
set title "One access to a register of a 256-byte BAR that shared its page (sdhci)"
set ylabel "ns, logarithmic"
set logscale y
set yrange [10:*]
plot for [i=2:5] "access.dat" using i:xtic(1) title columnheader(i) lc rgb colour[i == 5 ? 7 : i - 1]

unset logscale y
set output "disk.svg"
set title "4K random reads of an NVMe with a 16K BAR"
set ylabel "reads a second"
set yrange [0:*]
columns = int(system("awk -F'\t' 'NR == 1 { print NF }' disk.dat"))
plot for [i=2:columns] "disk.dat" using i:xtic(1) title columnheader(i) lc rgb colour[(i - 2) % 7 + 1]

set terminal svg size 1100,460 font "sans,12" background "white" noenhanced
set output "bind.svg"
set bmargin
set style data linespoints
set title
set logscale xy
set yrange [*:*]
set xtics (1, 8, 64, 232)
set xlabel "functions"
pages = system("ls bind-*.dat 2>/dev/null | sed 's/bind-//; s/.dat//' | sort -n")
set grid xtics ytics lc rgb "#dddddd"
set multiplot layout 1, words(pages) title "Binding a function"
do for [page in pages] {
	set title sprintf("pages of %dK", page / 1024)
	set ylabel "thousands of instructions, logarithmic"
	set xrange [0.8:300]
	set key tmargin center vertical samplen 1
	plot for [i=2:5] sprintf("bind-%s.dat", page) using 1:i title columnheader(i) lw 2 pt 7 ps 0.6 lc rgb colour[i - 1]
}
unset multiplot
