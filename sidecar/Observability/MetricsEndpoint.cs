using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Observability;

/// <summary>The Prometheus text of one sidecar, and of the process it is in.</summary>
internal sealed class MetricsEndpoint(MetricsRegistry registry)
{
    public async Task HandleAsync(HttpContext http)
    {
        await registry.RefreshAsync(http.RequestAborted).ConfigureAwait(false);
        var text = Encoding.UTF8.GetBytes(ProcessText() + registry.Text());
        http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8; escaping=values";
        http.Response.ContentLength = text.Length;
        await http.Response.BodyWriter.WriteAsync(text, http.RequestAborted).ConfigureAwait(false);
    }

    private static string ProcessText()
    {
        using var process = Process.GetCurrentProcess();
        var text = new StringBuilder();
        void Add(string name, string type, double value) =>
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {name}\n# TYPE {name} {type}\n{name} {value.ToString("R", CultureInfo.InvariantCulture)}\n");
        Add("process_cpu_seconds_total", "counter", process.TotalProcessorTime.TotalSeconds);
        Add("process_resident_memory_bytes", "gauge", process.WorkingSet64);
        Add("process_virtual_memory_bytes", "gauge", process.VirtualMemorySize64);
        if (OperatingSystem.IsLinux())
            Add("process_open_fds", "gauge", Directory.EnumerateFileSystemEntries("/proc/self/fd").Count());
        Add("process_start_time_seconds", "gauge", (process.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds);
        Add("process_threads", "gauge", process.Threads.Count);
        Add("dotnet_gc_heap_bytes", "gauge", GC.GetTotalMemory(false));
        Add("dotnet_gc_collections_total", "counter", GC.CollectionCount(0));
        return text.ToString();
    }
}
