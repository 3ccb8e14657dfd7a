# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What scripts/static asks of the documents and of the words in them: document_checks, at the
# end. Each of the others prints what is wrong, and nothing when all is well. They run in the top
# directory.

# Of all documents. A table has its rows on one line each, and what a script has
# written below its mark is tables, too.
lines_fit() {
	perl -Mutf8 -CSD -e '
		for my $file (@ARGV) {
			open my $in, "<", $file or die "$file: $!";
			while (<$in>) {
				chomp;
				last if /^<!-- written by /;
				printf "%s:%d: %d columns, more than 100\n", $file, $., length
					if length > 100 && !/^\|/;
			}
		}' ./*.md ./*/*.md
}

# links_lead_somewhere FILE...: a relative link of a Markdown file names a file that is there, and
# what is behind its "#" is a heading of that file. "]" and "(" stand together, also at a line's end.
links_lead_somewhere() {
	perl -Mutf8 -CSD -0777 -e '
		sub headings {
			my ($file) = @_;
			open my $in, "<", $file or return;
			my $text = <$in>;
			return { map { my $name = lc; $name =~ s/[^\w\- ]//g; $name =~ s/ /-/g; $name => 1 }
				$text =~ /^#+ +(.*?) *$/mg };
		}
		my $links = 0;
		for my $file (@ARGV) {
			open my $in, "<", $file or die "$file: $!";
			my $text = <$in>;
			my ($folder) = $file =~ m{^(.*/)};
			$text =~ s/^    .*$//mg;
			$text =~ s/`[^`]*`//g;
			while ($text =~ /\]\(([^)\s]*)\)/g) {
				my ($path, $heading) = split /#/, $1, 2;
				next if $path =~ /^[a-z]+:/;
				$links++;
				my $target = $path eq "" ? $file : ($folder // "") . $path;
				if (!-e $target) {
					print "$file: the link to $path points to nothing\n";
				} elsif (defined $heading && !headings($target)->{$heading}) {
					print "$file: $target has no heading #$heading\n";
				}
			}
		}
		print "no links in @ARGV\n" unless $links > 10;' "$@"
}

# A state of a BAR, or of an MSI-X table, has to be known in all these places; HACKING.md has the list.
# The names are those of the ABI's header.
states_are_everywhere() {
	perl -e '
		sub slurp {
			my ($file) = @_;
			open my $in, "<", $file or die "$file: $!";
			local $/;
			return scalar <$in>;
		}
		my $header = slurp("include/uapi/linux/subpage_vfio_pci.h");
		my $list = slurp("include/subpage_states.h");
		my ($abi_bar, $abi_msix) = map { slurp("doc/ABI-sysfs") =~ m{/$_\n(.*?)(?:\nWhat:|\z)}s }
			"barN_state", "msix_state";
		my $manual = slurp("doc/subpage_vfio_pci.4") =~ s/\\-/-/gr;
		my ($states) = $manual =~ /^\.IB bar N _state\n(.*?)^\.RE/ms;
		my ($diagnostics) = $manual =~ /^\.SH DIAGNOSTICS\n(.*?)^\.SH/ms;
		my ($tables) = $manual =~ /^\.B msix_state\n(.*?)^\.TP/ms;
		my ($codes) = slurp("doc/subpage-vfio.8") =~ /^\.SH REASON CODES\n(.*?)^\.SH/ms;
		my @reasons = slurp("src/cli/print/reason.h") =~ /\bREASON_(\w+)\b(?=[,\n])/g;
		my $texts = slurp("src/cli/print/reason.c");
		my %seen;
		@reasons = grep { !$seen{$_}++ } @reasons;
		my ($of_states) = "@reasons" =~ /\b(UNASSIGNED .*) UNKNOWN_STATE\b/;

		sub states { return $header =~ /^enum subpage_$_[0]_state \{(.*?)^\};/ms ? $1 =~ /^\tSUBPAGE_\U$_[0]\E_(\w+)/mg : () }
		# In scalar context: a match that fails is an empty list.
		sub wants($$$) { print "$_[1] lacks $_[2]\n" unless $_[0] }

		my @bar = states("bar");
		my @table = states("msix");
		print "the header has no states\n" if @bar < 10 || @table < 4;
		for my $STATE (@bar) {
			my $state = lc $STATE;
			my $good = $state =~ /^(in_place|moved)$/;
			my ($name, $why) = $list =~ /BAR_STATE\($STATE, "(\w+)",\s+"([^"]+)"/;
			wants($header =~ /^ \* \@SUBPAGE_BAR_$STATE: /m, "include/uapi/linux/subpage_vfio_pci.h", "what $STATE means");
			wants(($name // "") eq $state, "include/subpage_states.h", "\"$state\" and its reason");
			next if $state eq "none";
			wants($abi_bar =~ /"$state"/, "barN_state in doc/ABI-sysfs", "\"$state\"");
			wants($states =~ /^\.B $state$/m, "barN_state in doc/subpage_vfio_pci.4", $state);
			wants(!defined $why || index($diagnostics, $why) >= 0, "DIAGNOSTICS in doc/subpage_vfio_pci.4", "\"$why\"");
			next if $good;
			wants(" $of_states " =~ / $STATE /, "enum reason of src/cli/print/reason.h, among the states", "REASON_$STATE");
			wants($codes =~ /^\.IP \\fB$state\\fR/m, "REASON CODES in doc/subpage-vfio.8", $state);
		}
		for my $STATE (@table) {
			my $state = lc $STATE;
			wants($header =~ /^ \* \@SUBPAGE_MSIX_$STATE: /m, "include/uapi/linux/subpage_vfio_pci.h", "what $STATE means");
			wants($list =~ /MSIX_STATE\($STATE, "$state"\)/, "include/subpage_states.h", $STATE);
			next if $state eq "none";
			wants($abi_msix =~ /"$state"/, "msix_state in doc/ABI-sysfs", "\"$state\"");
			wants($tables =~ /\b$state\b/, "msix_state in doc/subpage_vfio_pci.4", $state);
		}
		for (@reasons) {
			wants($texts =~ /\[REASON_$_\] = \{ "\L$_\E",\s/, "reasons[] of src/cli/print/reason.c", "REASON_$_");
		}'
}

# What doc/troubleshooting.md quotes of messages, in the second column of its table, somebody says:
# this project, or one of those whose words are here (QEMU, libvirt, the kernel).
messages_are_said() {
	perl -Mutf8 -CSD -e '
		my @others = ("Key was rejected by service", "no iommu_group found", "group … is not viable",
			"unknown driver name", "must be manually detached", "No automatic MSI-X relocation available");
		my $said = "";
		for my $file (glob "src/driver/*.c include/*.h src/cli/*.c src/cli/*/*.c") {
			open my $in, "<", $file or die "$file: $!";
			$said .= join "", <$in>;
		}
		$said =~ s/"\s*OURS\s*"/subpage_vfio_pci/g;
		$said =~ s/"\s*\n\s*"//g;
		my $document = "doc/troubleshooting.md";
		open my $in, "<", $document or die "$document: $!";
		my $quoted = 0;
		while (<$in>) {
			next unless /^\|/;
			my (undef, undef, $what) = split / *\| */;
			for my $message ($what =~ /`([^`]+)`/g) {
				next if $message !~ / / || grep { $_ eq $message } @others;
				$quoted++;
				for my $part (split / *…[,:]? *(?:\(…\))?/, $message) {
					print "$document:$.: nobody says \"$part\"\n" if index($said, $part) < 0;
				}
			}
		}
		print "$document quotes no message\n" unless $quoted > 10;'
}

# An issue form that its site cannot read is shown to nobody, without a word. What the two forms ask for is there.
forms_are_whole() {
	perl -MCPAN::Meta::YAML -e '
		my %wanted = map { $_ => 1 } "subpage-vfio list --json", "subpage-vfio bench --json", "uname -r", "VMM";
		my @known = qw(markdown textarea input dropdown checkboxes);
		for my $file (glob ".github/ISSUE_TEMPLATE/*.yml") {
			open my $in, "<", $file or die "$file: $!";
			my $text = do { local $/; <$in> };
			my $form = eval { CPAN::Meta::YAML->read_string($text)->[0] } or print "$file: $@" and next;
			next if $file =~ /config\.yml$/;
			print "$file has no $_\n" for grep { !$form->{$_} } qw(name description body);
			my %ids;
			for my $field (@{ $form->{body} || [] }) {
				my $name = $field->{attributes}{label} // $field->{type};
				print "$file: $name: no type that is known\n" unless grep { $_ eq $field->{type} } @known;
				print "$file: $name: nothing to show\n" unless $field->{attributes}{label} // $field->{attributes}{value};
				next if $field->{type} eq "markdown";
				print "$file: $name: its id is missing or not the only one\n" if !$field->{id} || $ids{$field->{id}}++;
			}
			delete $wanted{$_} for grep { index($text, $_) >= 0 } keys %wanted;
		}
		print "no form asks for: $_\n" for sort keys %wanted;'
}

document_checks() {
	local documents
	mapfile -t documents < <(find . \( -name build -o -name .git \) -prune -o -name '*.md' -print | sort)
	ok 'no line of a document is longer than 100 columns' quiet lines_fit
	ok 'each link in a document leads somewhere' quiet links_lead_somewhere "${documents[@]}"
	ok 'a state of a BAR or of an MSI-X table is known in all places' quiet states_are_everywhere
	ok 'the messages that doc/troubleshooting.md quotes are said' quiet messages_are_said
	ok 'the issue forms can be read, and ask for what is needed' quiet forms_are_whole
}
