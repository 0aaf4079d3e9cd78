# perl.pl - Perl measured, by IO::Poll: perl perl.pl MODE WORK
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../host-examples/perl";
use IO::Poll qw(POLLIN);
use List::Util qw(max);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use Mape;

use constant { COUNT => 400, HALF => 200, CRASH => 100, ENDLESS => 390 };
my %following = (map => "cancel", cancel => "crash");
my ($mode, $work) = @ARGV;
$| = 1;
print "host Perl $^V, FFI::Platypus $FFI::Platypus::VERSION, IO::Poll\n";

sub now { return clock_gettime(CLOCK_MONOTONIC) * 1e3 }

my ($began, $ended, $gap, $last, $pool, $square, $job) = (now(), 0, 0);
my ($phase, $seen, $right, $main, $crashed);

sub submit {
    ($phase) = @_;
    my @values = map { $phase =~ /cancel|quit/ && $_ >= ENDLESS ? 1e6 : $_ } 0 .. COUNT - 1;
    $values[CRASH] = -1 if $phase eq "crash";
    ($seen, $right, $main, $gap, $last, $crashed) = (0, 0, 0, 0, undef, "");
    $job = $pool->map($square, pack("d*", @values), COUNT, deliver => Mape::value("MAPE_DELIVER_ITEMS") | Mape::value("MAPE_DELIVER_DONE"));
}

sub tick {
    my $now = now();
    $gap = max($gap, $now - $last) if defined $last;
    $last = $now;
    if ($mode eq "beside" && $now - $began >= 1000) {
        $ended = 1;
        printf "beside gap=%.1f\n", $gap;
    }
}

sub item {
    my ($event) = @_;
    my ($index, $state) = ($event->get("index"), $event->get("result.state"));
    $seen++;
    $main++ if (readlink("/proc/thread-self") =~ m{(\d+)$})[0] == $$;
    $right++ if $state == Mape::value("MAPE_ITEM_OK") && unpack("d", $event->data("result.data", "result.size")) == $index * $index;
    $crashed = " item=$index signal=" . $event->get("result.code") if $state == Mape::value("MAPE_ITEM_CRASHED");
    return if $seen != HALF;
    Mape::checked($pool->handle, "mape_job_cancel", $job) if $phase eq "cancel";
    if ($phase eq "quit") {
        print "quit in the middle\n";
        $ended = 1;
    }
}

sub done {
    my ($event) = @_;
    my ($ok, $failed, $crashes, $cancelled) = map { $event->get("progress.$_") } qw(ok failed crashed cancelled);
    printf "%s ok=%d right=%d main=%d failed=%d crashed=%d cancelled=%d gap=%.1f%s\n", $phase, $ok, $right, $main, $failed, $crashes, $cancelled,
        $gap, $crashed;
    Mape::checked($pool->handle, "mape_job_release", $job);
    return submit($following{$phase}) if $following{$phase};
    $ended = 1;
    $pool->release;
}

my $poll = IO::Poll->new;
if ($mode ne "beside") {
    $pool = Mape::Pool->new(workers => 2);
    $square = $pool->function(library => $work, run_symbol => "work_square");
    $pool->start;
    open my $events, "<&", $pool->fd or die "dup: $!";
    $poll->mask($events => POLLIN);
    submit($mode eq "run" ? "map" : "quit");
}
my $next_tick = now();
until ($ended) {
    my $left = max(0, $next_tick - now()) / 1e3;
    if (!$pool) {
        select undef, undef, undef, $left;
    } elsif ($poll->poll($left) > 0) {
        while (!$ended and my $event = $pool->next_event) {
            my $type = $event->get("type");
            item($event) if $type == Mape::value("MAPE_EVENT_ITEM");
            done($event) if $type == Mape::value("MAPE_EVENT_DONE");
        }
    }
    next if $ended || now() < $next_tick;
    tick();
    $next_tick = now() + 5;
}
