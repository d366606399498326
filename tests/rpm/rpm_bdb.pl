# SPDX-License-Identifier: Apache-2.0
# rpm_bdb.pl BLOBS ORDER PAGESIZE OUT: writes the headers of rpm_convert.py's "blobs" as the
# Berkeley DB hash that rpm up to 4.15 kept, with the real library. ORDER: 1234 or 4321.
use strict;
use warnings;
use DB_File;
use Fcntl;

my ($from, $order, $page, $out) = @ARGV;
my $pack = $order == 4321 ? 'N' : 'V';
my $info = DB_File::HASHINFO->new;
$info->{lorder} = $order;
$info->{bsize} = $page;
tie(my %db, 'DB_File', $out, O_RDWR | O_CREAT, 0644, $info) or die "$out: $!";
open(my $in, '<:raw', $from) or die "$from: $!";
my $last = 0;
while (read($in, my $head, 8) == 8) {
	my ($number, $n) = unpack('VV', $head);
	read($in, my $blob, $n) == $n or die "short";
	$db{pack($pack, $number)} = $blob;
	$last = $number;
}
$db{pack($pack, 0)} = pack($pack, $last);
untie %db;
