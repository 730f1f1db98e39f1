// Shared: a large value whose copies share one object until one is edited.
//
// It compares like the value, but copies of one another at once. For one
// thread.
#ifndef UPLINKD_RECONCILER_SHARED_H_
#define UPLINKD_RECONCILER_SHARED_H_

#include <memory>
#include <utility>

namespace uplinkd {

template <typename T>
class Shared {
 public:
  Shared() : value_(std::make_shared<T>()) {}
  // Implicit, so that a value can stand wherever a shared one is wanted.
  Shared(T value) : value_(std::make_shared<T>(std::move(value))) {}

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }

  // The value to change; other copies stay as they are.
  T& Edit() {
    if (value_.use_count() > 1) value_ = std::make_shared<T>(*value_);
    return *value_;
  }

  friend bool operator==(const Shared& a, const Shared& b) {
    return a.value_ == b.value_ || *a.value_ == *b.value_;
  }

 private:
  std::shared_ptr<T> value_;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SHARED_H_
