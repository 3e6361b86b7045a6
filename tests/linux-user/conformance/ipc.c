// Between processes: System V semaphores and messages, POSIX queues with notices, shared memory, the memory of a child.
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "say.h"

union semun {
    int value;
    struct semid_ds* set;
    unsigned short* values;
    struct seminfo* info;
};

static void semaphores(void) {
    int id = semget(IPC_PRIVATE, 3, 0600);
    unsigned short values[3] = {1, 2, 3}, got[3] = {0, 0, 0};
    struct semid_ds set;
    struct seminfo info;
    memset(&set, 0, sizeof(set));
    CALL(semctl(id, 0, SETALL, (union semun){.values = values}));
    CALL(semctl(id, 0, GETALL, (union semun){.values = got}));
    SAY("values", "%d %d %d", got[0], got[1], got[2]);
    CALL(semctl(id, 1, SETVAL, (union semun){.value = 7}));
    CALL(semctl(id, 1, GETVAL));
    CALL(semctl(id, 1, SETVAL, (union semun){.value = 99999}));
    CALL(semctl(id, 0, IPC_STAT, (union semun){.set = &set}));
    SAY("set", "%lu %o %d %d", (unsigned long)set.sem_nsems, set.sem_perm.mode & 0777, set.sem_otime == 0, set.sem_ctime != 0);
    set.sem_perm.mode = 0640;
    CALL(semctl(id, 0, IPC_SET, (union semun){.set = &set}));
    CALL(semctl(id, 0, IPC_STAT, (union semun){.set = &set}));
    SAY("mode", "%o", set.sem_perm.mode & 0777);
    CALL(semctl(0, 0, IPC_INFO, (union semun){.info = &info}) >= 0);
    SAY("info", "%d", info.semvmx);
    CALL(semctl(id, 0, IPC_STAT, (union semun){.set = nowhere}));
    CALL(semctl(id, 0, GETALL, (union semun){.values = nowhere}));
    CALL(semctl(id, 5, GETVAL));
    CALL(semctl(id, 0, 777));
    struct sembuf take[2] = {{0, -1, IPC_NOWAIT | SEM_UNDO}, {2, -3, IPC_NOWAIT}};
    CALL(syscall(SYS_semop, id, take, 2L));
    CALL(semop(id, take, 2));
    CALL(semctl(id, 0, GETPID) == getpid());
    struct timespec soon = {0, 1};
    struct sembuf wait = {2, -1, 0};
    CALL(semtimedop(id, &wait, 1, &soon));
    // A child's undo comes back, and so does what it gives.
    pid_t child = fork();
    if (child == 0) {
        struct sembuf give[2] = {{0, 4, SEM_UNDO}, {2, 1, 0}};
        _exit(semop(id, give, 2) == 0 ? 0 : 1);
    }
    CALL(semop(id, &wait, 1));
    say_end("giver", wait_for(child));
    CALL(semctl(id, 0, GETVAL));
    CALL(semctl(id, 0, IPC_RMID));
    CALL(semctl(id, 0, GETVAL));
}

static void messages(void) {
    struct {
        long type;
        char text[32];
    } message = {5, "first"};
    int id = msgget(IPC_PRIVATE, 0600);
    CALL(msgsnd(id, &message, 6, 0));
    message.type = 3;
    strcpy(message.text, "second");
    CALL(msgsnd(id, &message, 7, 0));
    message.type = 0;
    CALL(msgsnd(id, &message, 7, 0));
    CALL(msgsnd(id, nowhere, 7, 0));
    CALL(msgsnd(id, &message, (size_t)-1, 0));
    CALL(msgrcv(id, &message, sizeof(message.text), 3, 0));
    SAY("message", "%ld %s", message.type, message.text);
    CALL(msgrcv(id, &message, 2, 0, 0));
    CALL(msgrcv(id, &message, 2, 0, MSG_NOERROR));
    SAY("message", "%ld %.2s", message.type, message.text);
    CALL(msgrcv(id, &message, 2, 0, IPC_NOWAIT));
    struct msqid_ds queue;
    CALL(msgctl(id, IPC_STAT, &queue));
    SAY("queue", "%lu %d %d", (unsigned long)queue.msg_qnum, queue.msg_lspid == getpid(), queue.msg_rtime != 0);
    // Asleep until a child sends.
    pid_t child = fork();
    if (child == 0) {
        message.type = 9;
        strcpy(message.text, "child's");
        _exit(msgsnd(id, &message, 8, 0) == 0 ? 0 : 1);
    }
    CALL(msgrcv(id, &message, sizeof(message.text), 0, 0));
    SAY("message", "%ld %s", message.type, message.text);
    say_end("sender", wait_for(child));
    CALL(msgctl(id, IPC_RMID, NULL));
    CALL(msgrcv(id, &message, 2, 0, 0));
}

static volatile sig_atomic_t notice_code, notice_value;
static void notified(int signal, siginfo_t* info, void* context) {
    (void)signal;
    (void)context;
    notice_code = info->si_code;
    notice_value = info->si_value.sival_int;
}

static sem_t noticed;
static int thread_value;
static void in_thread(union sigval value) {
    thread_value = value.sival_int;
    sem_post(&noticed);
}

static void queues(void) {
    char name[32], text[64] = "";
    snprintf(name, sizeof(name), "/weft-%d", (int)getpid());
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 32}, got;
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attributes);
    if (queue == (mqd_t)-1) {
        SAY("queue", "%s", strerrorname_np(errno));
        return;
    }
    CALL(mq_unlink(name));
    CALL(mq_getattr(queue, &got));
    SAY("attributes", "%ld %ld %ld", got.mq_maxmsg, got.mq_msgsize, got.mq_curmsgs);
    struct sigaction action = {.sa_sigaction = notified, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    CALL(mq_notify(queue, &event));
    CALL(mq_notify(queue, &event));
    CALL(mq_send(queue, "low", 4, 1));
    SAY("notice", "%d %d", notice_code == SI_MESGQ, (int)notice_value);
    CALL(mq_send(queue, "high", 5, 9));
    unsigned priority = 0;
    CALL(mq_receive(queue, text, sizeof(text), &priority));
    SAY("received", "%s %u", text, priority);
    CALL(mq_receive(queue, text, 4, &priority));
    CALL(mq_receive(queue, text, sizeof(text), NULL));
    CALL(mq_receive(queue, text, sizeof(text), NULL));
    sem_init(&noticed, 0, 0);
    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = in_thread;
    event.sigev_value.sival_int = 88;
    CALL(mq_notify(queue, &event));
    CALL(mq_send(queue, "again", 6, 0));
    CALL(sem_wait(&noticed));
    SAY("notice in a thread", "%d", thread_value);
    CALL(mq_notify(queue, NULL));
    CALL(mq_close(queue));
}

static void shared(void) {
    int* words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_t* semaphore = (sem_t*)(words + 64);
    sem_init(semaphore, 1, 0);
    pid_t child = fork();
    if (child == 0) {
        words[0] = 42;
        sem_post(semaphore);
        _exit(0);
    }
    CALL(sem_wait(semaphore));
    SAY("shared", "%d", words[0]);
    say_end("child", wait_for(child));
    int id = shmget(IPC_PRIVATE, 8192, 0600);
    int* segment = shmat(id, NULL, 0);
    child = fork();
    if (child == 0) {
        segment[2000] = 43;
        _exit(0);
    }
    say_end("child", wait_for(child));
    struct shmid_ds status;
    CALL(shmctl(id, IPC_STAT, &status));
    SAY("segment", "%d %lu %lu", segment[2000], (unsigned long)status.shm_nattch, (unsigned long)status.shm_segsz);
    CALL(shmctl(id, IPC_RMID, NULL));
}

// A process reads its own memory and a stopped child's.
static char own_text[16] = "mine";
static void vectors(void) {
    char text[16] = "";
    struct iovec local = {text, 5}, remote = {own_text, 5};
    CALL(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    SAY("own", "%s", text);
    int ends[2], back[2];
    DONE(pipe(ends));
    DONE(pipe(back));
    pid_t child = fork();
    if (child == 0) {
        char byte;
        strcpy(own_text, "child");
        write(ends[1], "x", 1) == 1 ? (void)0 : abort();
        read(back[0], &byte, 1) == 1 ? (void)0 : abort();
        _exit(strcmp(own_text, "given") == 0 ? 0 : 1);
    }
    CALL(read(ends[0], text, 1));
    local.iov_len = remote.iov_len = 6;
    CALL(process_vm_readv(child, &local, 1, &remote, 1, 0));
    SAY("child's", "%s", text);
    strcpy(text, "given");
    CALL(process_vm_writev(child, &local, 1, &remote, 1, 0));
    CALL(write(back[1], "x", 1));
    say_end("child", wait_for(child));
    remote.iov_base = nowhere;
    CALL(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    CALL(process_vm_readv(getpid(), &local, 1, &remote, 1, 1));
    CALL(process_vm_readv(-1, &local, 1, &remote, 1, 0));
}

int main(void) {
    semaphores();
    messages();
    queues();
    shared();
    vectors();
    return 0;
}
