// OpenSockets: the clients' sockets that are open, so that others than the
// thread that serves a client can end its connection.
//
// For several threads.
#ifndef UPLINKD_EXPORTERS_OPEN_SOCKETS_H_
#define UPLINKD_EXPORTERS_OPEN_SOCKETS_H_

#include <chrono>
#include <map>
#include <mutex>

namespace uplinkd {

class OpenSockets {
 public:
  using Clock = std::chrono::steady_clock;

  // A socket for as long as it is served; closes it.
  class Entry {
   public:
    Entry(OpenSockets& all, int fd);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    // The client has asked, and is answered from now on.
    void Answering();

   private:
    OpenSockets& all_;
    const int fd_;
  };

  // Ends those that have asked, or been answered, for longer than a client
  // needs that is not slow on purpose. For when others wait for their places.
  void EndSlow(Clock::time_point now = Clock::now());
  // Ends all, and each that is opened later.
  void EndAll();

 private:
  struct State {
    Clock::time_point since;
    bool answering = false;
  };

  std::mutex mutex_;
  std::map<int, State> open_;  // guarded by mutex_
  bool ended_ = false;         // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_OPEN_SOCKETS_H_
