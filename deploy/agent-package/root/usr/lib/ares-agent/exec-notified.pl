# Becomes a program that can talk to the service manager by writing to a descriptor:
#   perl exec-notified.pl PROGRAM ARGUMENT…
# ARES_NOTIFY_FD names a socket that is connected to NOTIFY_SOCKET, one sd_notify(3) message a write. The process stays
# the same one, so NotifyAccess=main suffices. Node has no datagram sockets of the Unix family; perl-base is on every
# Debian.
use strict;
use warnings;
use Fcntl qw(F_SETFD F_SETFL O_NONBLOCK);
use Socket qw(AF_UNIX SOCK_DGRAM pack_sockaddr_un);

my $address = $ENV{NOTIFY_SOCKET} // '';
# An abstract address is written with an @.
$address =~ s/^@/\0/;
my $socket;
if ($address ne '') {
  # Without a word the manager gives up the start in its time, and says so; the outputs are safe meanwhile.
  if (socket($socket, AF_UNIX, SOCK_DGRAM, 0) && connect($socket, pack_sockaddr_un($address))) {
    # Kept over the exec; a manager that does not read must not stop the agent.
    fcntl($socket, F_SETFD, 0) && fcntl($socket, F_SETFL, O_NONBLOCK) or die "fcntl: $!";
    $ENV{ARES_NOTIFY_FD} = fileno($socket);
  }
  else { warn "the service manager cannot be reached at $ENV{NOTIFY_SOCKET}: $!\n" }
}
exec { $ARGV[0] } @ARGV or die "cannot run $ARGV[0]: $!\n";
