# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# What scripts/static asks of the documents and of the words in them: document_checks, at the
# end. Each of the others, and each program in scripts/documents, prints what is wrong, and nothing when
# all is well. They run in the top directory.

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

# A site does not show an issue form that it cannot read, and does not say so. The two forms ask for what is needed.
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
	ok 'each link in a document leads somewhere' quiet scripts/documents/links "${documents[@]}"
	ok 'the figures in the documents are those of doc/bench' quiet scripts/documents/figures
	ok 'each test that a document names is there' quiet scripts/documents/tests "${documents[@]}"
	ok 'the documents know each state of a BAR and of an MSI-X table' quiet scripts/documents/states
	ok 'no include runs up or in a circle' quiet scripts/documents/includes
	ok 'the messages that doc/troubleshooting.md quotes are said' quiet scripts/documents/messages
	ok 'the issue forms can be read, and ask for what is needed' quiet forms_are_whole
}
