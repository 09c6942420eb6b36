// Comparison and storage of $clusterTime. Nothing else.
#include "net/mongo/cluster_time.h"

#include "base/bytes.h"
#include "net/mongo/document_view.h"

namespace barewire::net::mongo {

void ClusterTime::advance(const std::uint8_t* document, std::size_t size) noexcept {
    const DocumentView view(document, size);
    const Element element = view.find("clusterTime");
    if (element.type != element_type::timestamp || view.size() > 4096) return;
    // BSON timestamps are increment, then seconds: as one little-endian number they compare in order of time.
    const auto time = base::load_little<std::uint64_t>(element.value);
    if (time <= time_.load(std::memory_order_relaxed)) return;
    std::lock_guard guard(mutex_);
    if (time <= time_.load(std::memory_order_relaxed)) return;
    document_.clear();
    if (!document_.append(view.data(), view.size())) {
        document_.clear();
        return;
    }
    time_.store(time, std::memory_order_relaxed);
}

bool ClusterTime::copy(base::Buffer& to) const noexcept {
    to.clear();
    if (time_.load(std::memory_order_relaxed) == 0) return true;
    std::lock_guard guard(mutex_);
    return to.append(document_.data(), document_.size());
}

}  // namespace barewire::net::mongo
