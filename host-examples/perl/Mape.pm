# Mape.pm - MapEngine for Perl, by FFI::Platypus. Functions, structures, enums and constants are those of abi.json, which comes with the library
# and is made from its header: nothing of them is written down here.
#
#     use Mape;
#     my $pool = Mape::Pool->new(workers => 2);
#     my $cbrt = $pool->function(library => "libm.so.6", prototype => "double cbrt(double x)");
#
# MAPE_PREFIX is where lib/ and share/ of MapEngine are; /usr/local without it. Each call is there as Mape::call("mape_…", arguments), each
# number of an enum as Mape::value("MAPE_…").
#
# SPDX-License-Identifier: Apache-2.0
package Mape;
use strict;
use warnings;
use FFI::Platypus;
use FFI::Platypus::Buffer qw(scalar_to_pointer buffer_to_scalar);
use JSON::PP;

our $prefix = $ENV{MAPE_PREFIX} // "/usr/local";
our $abi = do {
    open my $file, "<", "$prefix/share/mapengine/abi.json" or die "$prefix/share/mapengine/abi.json: $!";
    local $/;
    decode_json(<$file>);
};
my $ffi = FFI::Platypus->new(api => 2, lib => "$prefix/lib/$abi->{soname}");

# A type of C, as pack and as Platypus have it.
my %plain = (
    int => ["l", "sint32"], int32_t => ["l", "sint32"], uint32_t => ["L", "uint32"], int64_t => ["q", "sint64"], uint64_t => ["Q", "uint64"],
    size_t => ["Q", "uint64"], ptrdiff_t => ["q", "sint64"], double => ["d", "double"], void => [undef, "void"],
);

sub type {
    my ($text) = @_;
    return ["J", "opaque"] if $text =~ /\*$/ || $abi->{callbacks}{$text};
    return $plain{ $abi->{types}{$text} // $text } // die "no type $text";
}

my %values = (
    (map { $_ => $abi->{constants}{$_}{value} } keys %{ $abi->{constants} }),
    (map { %$_ } values %{ $abi->{enums} }),
);

# The number of an enum or constant.
sub value { my ($name) = @_; return $values{$name} // die "no value $name" }

# The address of what a call takes: a structure, a reference to a text or to bytes, a handle, nothing.
sub address {
    my ($value) = @_;
    return undef unless defined $value;
    return $value->address if ref $value && ref $value ne "SCALAR";
    return scalar_to_pointer($$value) if ref $value;
    return $value;
}

my %functions;

sub call {
    my ($name, @arguments) = @_;
    my $one = $functions{$name} //= do {
        my $described = $abi->{functions}{$name} // die "no function $name";
        my @types = map { type($_->{type})->[1] } @{ $described->{parameters} };
        my $returns = $described->{returns} =~ /char \*$/ ? "string" : type($described->{returns})->[1];
        { function => $ffi->function($name => \@types => $returns), types => \@types };
    };
    my $types = $one->{types};
    return $one->{function}->call(map { $types->[$_] eq "opaque" ? address($arguments[$_]) : $arguments[$_] } 0 .. $#arguments);
}

# Calls, and dies with the library's message when the call has failed. $pool: where that is kept.
sub checked {
    my ($pool, $name, @arguments) = @_;
    my $status = call($name, @arguments);
    return $status if $status >= 0;
    my $text = "\0" x 2048;
    call("mape_message", \$text, length $text, $pool);
    die call("mape_status_string", $status) . ": " . unpack("Z*", $text) . "\n";
}

# The value that a call has put where its first argument points.
sub made {
    my ($code, $pool, $name, @arguments) = @_;
    my $out = pack $code, 0;
    checked($pool, $name, \$out, @arguments);
    return unpack $code, $out;
}

# A structure of the interface: $event->get("result.state"), $config->set(workers => 2). Its struct_size is set. Texts are copied; bytes are given
# by a reference to them.
package Mape::Struct;

my %layouts;

sub layout {
    my ($name, $prefix, $base) = @_;
    return map {
        my $at = $base + $_->{offset};
        $Mape::abi->{structures}{ $_->{type} }
            ? layout($_->{type}, "$prefix$_->{name}.", $at)
            : ("$prefix$_->{name}" => [$at, $_->{size}, Mape::type($_->{type})->[0], $_->{type} eq "const char *"])
    } @{ $Mape::abi->{structures}{$name}{fields} };
}

sub new {
    my ($class, $name, %values) = @_;
    my $fields = $layouts{$name} //= { layout($name, "", 0) };
    my $size = $Mape::abi->{structures}{$name}{size};
    # `kept`: what it points to lives as long as the structure.
    my $self = bless { memory => "\0" x $size, size => $size, fields => $fields, kept => \%values }, $class;
    $self->set(struct_size => $size) if $fields->{struct_size};
    $self->set($_ => $values{$_}) for keys %values;
    return $self;
}

sub address { my ($self) = @_; return FFI::Platypus::Buffer::scalar_to_pointer($self->{memory}) }

sub bytes { my ($self) = @_; return $self->{memory} }

sub get {
    my ($self, $name) = @_;
    my ($at, $size, $code) = @{ $self->{fields}{$name} // die "no field $name" };
    return unpack $code, substr $self->{memory}, $at, $size;
}

sub set {
    my ($self, $name, $value) = @_;
    my ($at, $size, $code, $is_text) = @{ $self->{fields}{$name} // die "no field $name" };
    if ($is_text && defined $value) {
        $self->{texts}{$name} = "$value\0";
        $value = \$self->{texts}{$name};
    }
    substr $self->{memory}, $at, $size, pack $code, $code eq "J" ? Mape::address($value) // 0 : $value;
    return $self;
}

# The bytes at a pointer, as many as the field `length` says; "" when there are none.
sub data {
    my ($self, $name, $length) = @_;
    my $address = $self->get($name);
    return $address ? FFI::Platypus::Buffer::buffer_to_scalar($address, $self->get($length)) : "";
}

# The text at a pointer.
sub text {
    my ($self, $name) = @_;
    my $address = $self->get($name);
    return $address ? unpack "p", pack "J", $address : "";
}

# Worker processes. Fields of the settings are those of mape_pool_config.
package Mape::Pool;

sub new {
    my ($class, %settings) = @_;
    my $handle = Mape::made("J", undef, "mape_pool_create", Mape::Struct->new("mape_pool_config", %settings));
    return bless { handle => $handle, event => Mape::Struct->new("mape_event") }, $class;
}

sub handle { my ($self) = @_; return $self->{handle} }

# Fields as of mape_function. Returns its id.
sub function {
    my ($self, %fields) = @_;
    return Mape::made("L", $self->{handle}, "mape_function_register", $self->{handle}, Mape::Struct->new("mape_function", %fields));
}

sub start { my ($self) = @_; return Mape::checked($self->{handle}, "mape_pool_start", $self->{handle}, Mape::value("MAPE_FOREVER")) }

# A job over `count` items of so many bytes, side by side in a text. Settings as of mape_job_config.
sub map {
    my ($self, $function, $bytes, $count, %settings) = @_;
    my $items = Mape::Struct->new("mape_items", count => $count, base => \$bytes, item_size => length($bytes) / $count);
    return Mape::made("J", $self->{handle}, "mape_map", $self->{handle}, $function, $items, Mape::Struct->new("mape_job_config", %settings));
}

# A job that calls a C function over columns: structures mape_column, one per input.
sub map_columns {
    my ($self, $function, $count, $columns, %settings) = @_;
    my $array = join "", CORE::map { $_->bytes } @$columns;
    my $config = Mape::Struct->new("mape_job_config", %settings);
    return Mape::made("J", $self->{handle}, "mape_map_columns", $self->{handle}, $function, $count, \$array, scalar @$columns, $config);
}

# Readable while there are events: for IO::Poll, IO::Async, EV.
sub fd { my ($self) = @_; return $self->{fd} //= Mape::made("l", $self->{handle}, "mape_pool_event_fd", $self->{handle}) }

# The next event, or nothing; the structure is the same each time. Does not wait.
sub next_event {
    my ($self) = @_;
    my $status = Mape::call("mape_pool_next_event", $self->{event}, $self->{handle}, 0);
    return $self->{event} if $status == Mape::value("MAPE_OK");
    return undef if $status == Mape::value("MAPE_E_AGAIN") || $status == Mape::value("MAPE_E_HANDLE");
    die Mape::call("mape_status_string", $status) . "\n";
}

sub release { my ($self) = @_; return Mape::checked(undef, "mape_pool_release", $self->{handle}) }

1;
