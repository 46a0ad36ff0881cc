#include "jobs.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>

namespace mote::conformance {
namespace {

using Clock = std::chrono::steady_clock;

struct Child {
  std::size_t job;
  pid_t pid;
  int pipe;
  Clock::time_point deadline;
  std::string text;  // verdict digit, then the reason
};

// A job that waits for others on a busy machine is not slow; one that computes nothing for so long hangs.
constexpr double kWaiting = 10;

[[noreturn]] void child_main(int out, const JobLimits& limits, const std::function<Outcome()>& work) {
  rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  auto seconds = static_cast<rlim_t>(std::ceil(limits.seconds));
  rlimit cpu{seconds, seconds + 1};
  setrlimit(RLIMIT_CPU, &cpu);
  if (limits.megabytes != 0) {
    rlimit memory{limits.megabytes << 20, limits.megabytes << 20};
    setrlimit(RLIMIT_AS, &memory);
  }
  Outcome o = work();
  std::string text = std::to_string(static_cast<int>(o.verdict)) + o.reason.substr(0, 4000);
  for (std::size_t sent = 0; sent < text.size();) {
    ssize_t n = write(out, text.data() + sent, text.size() - sent);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  _exit(0);
}

Outcome outcome_of(const Child& c, int status, bool timed_out, double seconds) {
  if (timed_out) {
    return {Verdict::kFailed, "did not end in " + std::to_string(static_cast<int>(kWaiting * seconds)) + " s"};
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
    return {Verdict::kFailed, "took more than " + std::to_string(static_cast<int>(seconds)) + " s of CPU time"};
  if (WIFSIGNALED(status)) return {Verdict::kFailed, std::string("crashed: ") + strsignal(WTERMSIG(status))};
  if (c.text.empty()) return {Verdict::kFailed, "crashed: exit code " + std::to_string(WEXITSTATUS(status))};
  return {static_cast<Verdict>(c.text[0] - '0'), c.text.substr(1)};
}

}  // namespace

void run_jobs(std::size_t count, const JobLimits& limits, const std::function<Outcome(std::size_t)>& work,
              const std::function<void(std::size_t, const Outcome&)>& done) {
  std::vector<Child> running;
  std::size_t next = 0;
  while (next < count || !running.empty()) {
    while (next < count && running.size() < static_cast<std::size_t>(limits.parallel)) {
      int ends[2];
      if (pipe(ends) != 0) std::abort();
      pid_t pid = fork();
      if (pid < 0) std::abort();
      if (pid == 0) {
        close(ends[0]);
        child_main(ends[1], limits, [&] { return work(next); });
      }
      close(ends[1]);
      auto budget =
          std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(kWaiting * limits.seconds));
      running.push_back(Child{next++, pid, ends[0], Clock::now() + budget, {}});
    }
    std::vector<pollfd> polls;
    for (const Child& c : running) polls.push_back(pollfd{c.pipe, POLLIN, 0});
    poll(polls.data(), polls.size(), 200);
    for (std::size_t i = running.size(); i-- > 0;) {
      Child& c = running[i];
      bool ended = false, late = Clock::now() > c.deadline;
      if (polls[i].revents != 0) {
        char buffer[4096];
        ssize_t n = read(c.pipe, buffer, sizeof buffer);
        if (n > 0) c.text.append(buffer, static_cast<std::size_t>(n));
        ended = n <= 0;
      }
      if (!ended && !late) continue;
      if (late && !ended) kill(c.pid, SIGKILL);
      int status = 0;
      waitpid(c.pid, &status, 0);
      close(c.pipe);
      done(c.job, outcome_of(c, status, late && !ended, limits.seconds));
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

}  // namespace mote::conformance
