#!/usr/bin/perl
# checksums.pl - the CRC-32 of each file, by zlib's own C function in worker processes: perl checksums.pl FILE...
#
# The main loop is IO::Poll on the pool's descriptor; a program of your own watches its sockets there as well.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Poll qw(POLLIN);
use Mape;

@ARGV or die "usage: perl checksums.pl FILE...\n";
my @texts = map { open my $file, "<:raw", $_ or die "$_: $!\n"; local $/; scalar <$file> // "" } @ARGV;

my $pool = Mape::Pool->new(workers => 2);
my $crc32 = $pool->function(
    library => "libz.so.1",
    prototype => "unsigned long crc32(unsigned long crc, const void *data [length], unsigned int length)",
);

# A column per input of the function: a number for all calls, an address per call, a number per call.
my ($zero, $addresses, $lengths) = (pack("Q", 0), pack("J*", map { Mape::address(\$_) } @texts), pack("L*", map { length } @texts));
$pool->map_columns($crc32, scalar @texts, [
        Mape::Struct->new("mape_column", base => \$zero, stride => 0),
        Mape::Struct->new("mape_column", base => \$addresses, stride => 8, pointers => 1),
        Mape::Struct->new("mape_column", base => \$lengths, stride => 4),
    ], deliver => Mape::value("MAPE_DELIVER_ITEMS") | Mape::value("MAPE_DELIVER_DONE"), ordered => 1);

# The descriptor is the pool's: Perl gets one of its own, which it may close.
open my $events, "<&", $pool->fd or die "dup: $!";
my $poll = IO::Poll->new;
$poll->mask($events => POLLIN);
my $running = 1;
while ($running) {
    $poll->poll;
    while (my $event = $pool->next_event) {
        if ($event->get("type") == Mape::value("MAPE_EVENT_ITEM")) {
            my $ok = $event->get("result.state") == Mape::value("MAPE_ITEM_OK");
            print $ok ? sprintf("%08x", unpack "Q", $event->data("result.data", "result.size")) : $event->text("result.message"),
                "  $ARGV[$event->get('index')]\n";
        } elsif ($event->get("type") == Mape::value("MAPE_EVENT_DONE")) {
            $running = 0;
        }
    }
}
$pool->release;
