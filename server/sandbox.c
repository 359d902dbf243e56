/* SPDX-License-Identifier: ISC */
/*
 * The sandbox of a worker: system calls that it needs are allowed, anything
 * else kills it, which the master reports.  Called by worker.c when all is
 * ready to serve.  What a service does beyond reading files and using sockets
 * it must do in its start function, before.  The program for the kernel is
 * made once, by the master: making it takes longer than all else in a
 * worker's start.
 *
 * Files may be opened to be read.  To be written only without a name
 * (O_TMPFILE), which is what the spool does; so nothing in the file system
 * can be changed, whoever owns it.
 */
#include <errno.h>

#include "sandbox.h"

/* A sanitizer maps, forks and traces as it likes. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_NONE	"no, a sanitizer is built in"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_NONE	"no, a sanitizer is built in"
#endif
#endif
#if !defined(HAVE_LIBSECCOMP) && !defined(SANDBOX_NONE)
#define SANDBOX_NONE	"no, libseccomp was missing"
#endif

#ifdef SANDBOX_NONE

const char *
sandbox_summary(void)
{
	return SANDBOX_NONE;
}

int
sandbox_init(void)
{
	return 0;
}

int
sandbox_enter(bool with_names)
{
	(void)with_names;
	return 0;
}

#else

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* By with_names. */
static struct sock_fprog	 sandbox_program[2];

/* Calls that are allowed whatever their arguments are. */
static const char *const	 allowed[] = {
	/* the connection */
	"accept", "accept4", "recvfrom", "recvmsg", "read", "readv",
	"sendto", "sendmsg", "sendfile", "sendfile64", "write", "writev",
	"poll", "ppoll", "select", "pselect6", "close", "shutdown",
	"setsockopt", "getsockopt", "getsockname", "getpeername",
	/* services that ask others */
	"socket", "connect", "bind", "sendmmsg", "recvmmsg", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "pipe2",
	"socketpair",
	/* handlers */
	"dup2", "dup3", "rt_sigreturn", "sigreturn", "rt_sigaction",
	"rt_sigprocmask", "restart_syscall", "sigaltstack",
	/* the spool, and files that are read */
	"pread64", "preadv", "pwrite64", "pwritev", "lseek", "_llseek",
	"ftruncate", "ftruncate64", "fstat", "fstat64", "newfstatat",
	"fstatat64", "statx", "stat", "lstat", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents64", "getcwd",
	"fadvise64", "flock", "copy_file_range", "dup", "memfd_create",
	/* memory */
	"brk", "munmap", "mremap", "madvise",
	/* what libc does by itself */
	"clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday",
	"time", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
	"futex", "futex_time64", "getrandom", "getpid", "gettid", "getppid",
	"getuid", "geteuid", "getgid", "getegid", "sched_yield", "uname",
	"sysinfo", "getrlimit", "ugetrlimit", "getrusage", "rseq",
	"sched_getaffinity", "membarrier",
	/* the end; abort() raises */
	"exit", "exit_group",
};

static int
sandbox_allow(scmp_filter_ctx ctx, const char *name)
{
	int	 call = seccomp_syscall_resolve_name(name);

	/* other machines have other calls */
	if (call < 0)
		return 0;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
}

/* Opening: to read, or a file without a name. */
static int
sandbox_allow_open(scmp_filter_ctx ctx, const char *name, unsigned int arg)
{
	const scmp_datum_t	 writing = O_ACCMODE | O_CREAT | O_TRUNC |
				    O_APPEND;
	int			 call = seccomp_syscall_resolve_name(name), e;

	if (call < 0)
		return 0;
	e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
	    SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
	if (e == 0)
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
		    SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, O_TMPFILE | O_CREAT,
		    O_TMPFILE));
	return e;
}

/* mkostemp() and unlink(), for a spool that knows no O_TMPFILE. */
static int
sandbox_allow_names(scmp_filter_ctx ctx)
{
	int	 e;

	e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
	    SCMP_CMP(2, SCMP_CMP_MASKED_EQ, O_CREAT | O_EXCL,
	    O_CREAT | O_EXCL));
	if (e == 0)
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat),
		    0);
	if (e == 0)
		e = sandbox_allow(ctx, "unlink");
	return e;
}

/* Memory must not become a program. */
static int
sandbox_allow_memory(scmp_filter_ctx ctx, int call)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
	    SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* No signals to anybody, but abort() must work. */
static int
sandbox_allow_abort(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_CMP(2, SCMP_CMP_EQ, SIGABRT, 0));
}

static int
sandbox_allow_flags(scmp_filter_ctx ctx)
{
	static const scmp_datum_t	 commands[] = { F_GETFL, F_SETFL,
					    F_GETFD, F_SETFD,
					    F_DUPFD_CLOEXEC, F_ADD_SEALS };
	size_t				 i;
	int				 e = 0;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]) && e == 0; i++)
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_CMP(1, SCMP_CMP_EQ, commands[i], 0));
	/* FIONREAD and the like; terminals are not to be typed into */
	if (e == 0)
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_CMP(1, SCMP_CMP_EQ, FIONREAD, 0));
	/* stdio asks whether it writes to a terminal */
	if (e == 0)
		e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_CMP(1, SCMP_CMP_EQ, TCGETS, 0));
	return e;
}

const char *
sandbox_summary(void)
{
	return "yes";
}

static int
sandbox_add_rules(scmp_filter_ctx ctx)
{
	size_t	 i;
	int	 e;

	/* the mitigation of speculative stores would cost every call */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	/* a binary tree, not a list */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	e = sandbox_allow_open(ctx, "open", 1);
	if (e == 0)
		e = sandbox_allow_open(ctx, "openat", 2);
	if (e == 0)
		e = sandbox_allow_memory(ctx, SCMP_SYS(mmap));
	if (e == 0)
		e = sandbox_allow_memory(ctx, SCMP_SYS(mprotect));
	if (e == 0)
		e = sandbox_allow_flags(ctx);
	if (e == 0)
		e = sandbox_allow_abort(ctx);
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && e == 0; i++)
		e = sandbox_allow(ctx, allowed[i]);
	return e;
}

/* Reads the program that libseccomp writes to a descriptor. */
static int
sandbox_export(scmp_filter_ctx ctx, struct sock_fprog *program)
{
	int	 fd, e;
	off_t	 size;

	if ((fd = memfd_create("sandbox", MFD_CLOEXEC)) == -1)
		return -errno;
	e = seccomp_export_bpf(ctx, fd);
	if (e == 0 && (size = lseek(fd, 0, SEEK_END)) > 0 &&
	    (program->filter = malloc((size_t)size)) != NULL &&
	    pread(fd, program->filter, (size_t)size, 0) == size)
		program->len = (unsigned short)((size_t)size /
		    sizeof(*program->filter));
	else if (e == 0)
		e = -ENOMEM;
	(void)close(fd);
	return e;
}

int
sandbox_init(void)
{
	scmp_filter_ctx	 ctx;
	int		 e;

	if (sandbox_program[true].filter != NULL)
		return 0;
	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if ((e = sandbox_add_rules(ctx)) == 0 &&
	    (e = sandbox_export(ctx, &sandbox_program[false])) == 0 &&
	    (e = sandbox_allow_names(ctx)) == 0)
		e = sandbox_export(ctx, &sandbox_program[true]);
	seccomp_release(ctx);
	errno = -e;
	return e == 0 ? 0 : -1;
}

int
sandbox_enter(bool with_names)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	    &sandbox_program[with_names]) == 0 ? 0 : -1;
}

#endif
