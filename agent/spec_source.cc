#include "agent/spec_source.h"

#include <pthread.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/logging.h"
#include "agent/spec_file.h"

namespace uplinkd {
namespace {

bool IsThere(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) || error;
}

bool MayRead(const std::string& path) {
  return access(path.c_str(), R_OK) == 0 || errno != EACCES;
}

}  // namespace

SpecSource::SpecSource(Options options, Engine& engine)
    : options_(std::move(options)),
      engine_(engine),
      work_(context_.get_executor()) {
  Result<std::unique_ptr<FileWatch>> watch =
      FileWatch::Start(context_, options_.path, [this] { Notice(); });
  if (watch) {
    watch_ = std::move(*watch);
  } else {
    spdlog::warn("{}; send SIGHUP when it has changed", watch.error().message);
  }
  // It is watched by now, so no change is missed.
  if (options_.taken_up != SignatureOf(options_.path)) Notice();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "spec-source");
    context_.run();
  });
}

SpecSource::~SpecSource() {
  context_.stop();
  thread_.join();
}

void SpecSource::Reread() {
  asio::post(context_, [this] { Read(); });
}

// Not put off by further changes: a file that never rests is read all the same.
void SpecSource::Notice() {
  if (std::exchange(settling_, true)) return;
  timer_.expires_after(options_.settle);
  timer_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    settling_ = false;
    if (IsThere(options_.path)) {
      Read();
    } else {
      WaitForIt();
    }
  });
}

// Ends with the next change, too.
void SpecSource::WaitForIt() {
  timer_.expires_after(options_.grace);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) Read();
  });
}

// Whoever copies a file may make it readable later, of which no event tells
// that it is whole.
void SpecSource::WaitUntilReadable() {
  timer_.expires_after(options_.grace);
  timer_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    if (MayRead(options_.path)) return Read();
    WaitUntilReadable();
  });
}

void SpecSource::Read() {
  auto spec = LoadSpecFile(options_.path, options_.allow_empty);
  if (!spec) {
    Refuse(spec.error());
    if (!MayRead(options_.path)) WaitUntilReadable();
  } else {
    engine_.FollowFile(options_.path, *std::move(spec));
  }
}

void SpecSource::Refuse(const std::vector<std::string>& faults) {
  for (const std::string& fault : faults) spdlog::error("{}", fault);
  Log(spdlog::level::err,
      fmt::format("{} is refused; the last good spec is kept", options_.path),
      {{"event", "spec"},
       {"from", options_.path},
       {"result", "refused"},
       {"error", faults.front()}});
  engine_.NoteRefusedSpec(faults.front() + "; the last good spec is kept");
}

}  // namespace uplinkd
