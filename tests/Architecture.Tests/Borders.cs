using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace DaprPlatform.Architecture.Tests;

/// <summary>The borders between folders, read from the project files: a reference that crosses one does not build a test suite.</summary>
public sealed class Borders
{
    private static readonly string Root = FindRoot();

    public static TheoryData<string> Projects() => [.. Directory.EnumerateFiles(Root, "*.csproj", SearchOption.AllDirectories)
        .Select(p => Path.GetRelativePath(Root, p).Replace('\\', '/'))
        .Where(p => !p.Contains("/obj/", StringComparison.Ordinal) && !p.Contains("node_modules", StringComparison.Ordinal) && !p.StartsWith("tests/", StringComparison.Ordinal) && !p.StartsWith("benchmarks/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_its_folder_may_use(string project)
    {
        var allowed = Allowed(project);
        var crossing = References(project).Where(r => !allowed.Exists(a => r.StartsWith(a, StringComparison.Ordinal))).ToList();
        Assert.True(crossing.Count == 0, $"{project} may reference {string.Join(", ", allowed)}, but references {string.Join(", ", crossing)}");
    }

    [Fact]
    public void Services_reach_the_sdk_only_through_the_switch()
    {
        var direct = Directory.EnumerateFiles(Path.Combine(Root, "services"), "*.csproj", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Path.Combine(Root, "workflows"), "*.csproj", SearchOption.AllDirectories))
            .Where(p => File.ReadAllText(p).Contains("sdk/", StringComparison.Ordinal)).Select(p => Path.GetRelativePath(Root, p)).ToList();
        Assert.Empty(direct);
    }

    [Fact]
    public void No_service_talks_to_a_broker_a_cache_or_a_lock_server_itself()
    {
        var clients = new Regex(@"PackageReference Include=""(Confluent\.Kafka|StackExchange\.Redis|dotnet-etcd|RabbitMQ|NATS)", RegexOptions.IgnoreCase);
        var offenders = Directory.EnumerateFiles(Path.Combine(Root, "services"), "*.csproj", SearchOption.AllDirectories).Where(p => clients.IsMatch(File.ReadAllText(p))).ToList();
        Assert.Empty(offenders);
    }

    [Fact]
    public void Program_files_of_services_read_as_a_table_of_contents()
    {
        var longOnes = Directory.EnumerateFiles(Path.Combine(Root, "services"), "Program.cs", SearchOption.AllDirectories)
            .Where(p => !p.Contains("/obj/", StringComparison.Ordinal)).Select(p => (Path: Path.GetRelativePath(Root, p), Lines: File.ReadAllLines(p).Length)).Where(p => p.Lines > 30).ToList();
        Assert.Empty(longOnes);
    }

    /// <summary>
    /// With DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS (dapr.yaml) what waits for a socket goes on on the thread that waits for all sockets of its process: it may never block.
    /// In methods that are async, the compiler watches over it (CA1849).
    /// </summary>
    [Fact]
    public void No_service_blocks_a_thread_until_something_is_done()
    {
        var blocks = new Regex(@"\.GetAwaiter\(\)\.GetResult\(|\.Wait\(|\.WaitOne\(|\.WaitAll\(|\.WaitAny\(|Monitor\.Wait|Thread\.Sleep|\.SaveChanges\(\)|\.Migrate\(\)|\.Execute(NonQuery|Scalar|Reader)\(");
        var offenders = new[] { "services", "workflows" }.SelectMany(f => Directory.EnumerateFiles(Path.Combine(Root, f), "*.cs", SearchOption.AllDirectories))
            .Where(p => !p.Contains("/obj/", StringComparison.Ordinal) && blocks.IsMatch(File.ReadAllText(p))).Select(p => Path.GetRelativePath(Root, p)).ToList();
        Assert.Empty(offenders);
    }

    [Fact]
    public void Every_project_is_in_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(Root, "DaprPlatform.slnx"));
        var missing = Directory.EnumerateFiles(Root, "*.csproj", SearchOption.AllDirectories).Select(p => Path.GetRelativePath(Root, p).Replace('\\', '/'))
            // What a start leaves in artifacts/ is no source of ours.
            .Where(p => !p.Contains("/obj/", StringComparison.Ordinal) && !p.Contains("node_modules", StringComparison.Ordinal) && !p.StartsWith('.')
                && !p.StartsWith("artifacts/", StringComparison.Ordinal) && !solution.Contains($"\"{p}\"", StringComparison.Ordinal)).ToList();
        Assert.Empty(missing);
    }

    private static List<string> Allowed(string project) => project.Split('/')[0] switch
    {
        "sdk" => ["sdk/"],
        "sidecar" => ["sidecar/", "sdk/Grpc."],
        "cli" => ["cli/", "sidecar/", "sdk/"],
        "workflows" => ["sdk/", "services/Contracts/"],
        "services" when project.StartsWith("services/Contracts/", StringComparison.Ordinal) => ["sdk/Grpc."],
        "services" when project.StartsWith("services/ServiceDefaults/", StringComparison.Ordinal) => ["sdk/", "services/Contracts/"],
        "services" => ["sdk/", "services/Contracts/", "services/ServiceDefaults/", "services/RestApi/", "workflows/"],
        _ => [],
    };

    private static IEnumerable<string> References(string project)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Root, project))!;
        var xml = XDocument.Load(Path.Combine(Root, project));
        foreach (var reference in xml.Descendants("ProjectReference").Select(r => (string?)r.Attribute("Include")).OfType<string>())
            yield return Path.GetRelativePath(Root, Path.GetFullPath(Path.Combine(folder, reference.Replace("$(RepositoryRoot)", Root + "/")))).Replace('\\', '/');
        foreach (var reference in xml.Descendants("SdkReference").Select(r => (string?)r.Attribute("Include")).OfType<string>())
            yield return $"sdk/{reference}/";
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "DaprPlatform.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("the repository's root is not above the tests");
        return folder;
    }
}
