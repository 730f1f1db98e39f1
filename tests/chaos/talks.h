// Talks: connections that live as long as they can, in the background, and new
// ones all the time.
//
// A Talk asks the echo service every few milliseconds, whatever happens around
// it, and each answer has to name the source address of its first one. Not for
// production code.
#ifndef UPLINKD_TESTS_CHAOS_TALKS_H_
#define UPLINKD_TESTS_CHAOS_TALKS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/lab/namespace.h"
#include "tests/lab/traffic_client.h"

namespace uplinkd::chaos {

struct Talk {
  lab::Connection connection;
  std::string answer;    // that all have to be
  std::size_t line = 0;  // that it goes by
  bool inbound = false;  // the server opened it
  bool masquerade = false;

  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  std::string fault = "";  // it ended, or an answer was another one
  // That it has to have answered; see Talks::Await().
  std::uint64_t goal = 0;
  std::string rest = "";  // the beginning of an answer
};

// For the thread that made it, beside its own one.
class Talks {
 public:
  Talks();
  Talks(const Talks&) = delete;
  Talks& operator=(const Talks&) = delete;
  ~Talks();

  void Add(Talk talk);
  std::size_t size();

  // Waits until each of them that matters has answered all that it was asked
  // before, or has ended; or until `patience` is over.
  void Await(const std::function<bool(const Talk&)>& matters,
             std::chrono::milliseconds patience);

  enum class Fate { kAnswers, kSilent, kEnded };
  static Fate FateOf(const Talk& talk);

  // Keeps those that `stays` wants to, and says nothing more by the others: the
  // ports of these. The thread waits meanwhile.
  std::vector<std::uint16_t> Keep(
      const std::function<bool(const Talk&)>& stays);

 private:
  void Loop();
  static void Turn(Talk& talk);
  static void Note(Talk& talk, const char* text, std::size_t size);

  std::mutex mutex_;
  std::list<Talk> talks_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// New connections from the lab's first client, one after the other, with a
// short pause; each asks once.
class Callers {
 public:
  explicit Callers(const lab::Namespace& where);
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;
  ~Callers();

  struct Tally {
    std::uint64_t calls = 0;
    std::vector<std::string> failures;
    std::vector<std::uint16_t> ports;  // of those that failed
  };
  // Since the last time; waits for the end of the call that is under way. None
  // is during `meanwhile`.
  Tally Take(const std::function<void(const Tally&)>& meanwhile);

 private:
  void Loop();

  std::mutex mutex_;  // held during a call
  Tally tally_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_TALKS_H_
