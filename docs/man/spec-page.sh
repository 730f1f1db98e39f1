#!/bin/sh
# uplinkd-spec(5) from docs/spec.md, on standard output.
#
#   spec-page.sh docs/spec.md VERSION
set -eu

cat <<END
'\\" t
.TH UPLINKD\\-SPEC 5 "" "uplinkd $2"
.SH NAME
uplinkd\\-spec \\- what a router is to do with its uplinks
.SH DESCRIPTION
.na
END
# Headings move up by one; the page's own title goes. Fixed-width words are
# bold; a link is its words; long words may be broken in narrow columns.
lowdown -s -tman --parse-no-metadata --parse-no-autolink "$1" |
  sed -n '/^\.LP/,$p' |
  sed -E '
    /^\.SS$/ { N; s/\n/ /; s/\\f[A-Z]//g; s/^\.SS /.SH / }
    s/\\fC/\\fB/g
    s/\\fB([^\\<>]*)\\fR <\\fI[^<>]*\\fR>/\1/g
    s/^tab\(\|\) expand allbox;$/tab(|) allbox;/
    s/^l l\.$/lw(20) lw(44)./
    s/^l l l\.$/lw(16) lw(14) lw(32)./'
cat <<'END'
.SH SEE ALSO
.BR uplinkctl (1),
.BR uplinkd (8)
END
