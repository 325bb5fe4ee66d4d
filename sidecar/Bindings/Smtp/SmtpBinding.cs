using System.Text.Json;
using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Bindings.Smtp;

/// <summary>
/// <c>bindings.smtp</c>: mails through a server (https://docs.dapr.io/reference/components-reference/supported-bindings/smtp/). The data are the HTML of the mail; sender,
/// recipients, subject and priority come with the request or from the component.
/// </summary>
internal sealed class SmtpBinding(ComponentSpec spec, TimeProvider time) : IOutputBinding
{
    private const int ImplicitTlsPort = 465;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly char[] Separators = [';', ','];
    private SmtpServer? _server;
    private int _priority;

    public IReadOnlyList<string> Operations { get; } = ["create"];

    public IReadOnlyList<string> Capabilities { get; } = ["OUTPUT_BINDING"];

    public Task InitAsync(CancellationToken cancellationToken)
    {
        var host = spec.Value("host") is { Length: > 0 } name ? name : throw Invalid("host and port fields are required in metadata");
        if (!int.TryParse(spec.Value("port"), out var port) || port is < 1 or > 65535)
            throw Invalid("unable to parse specified port to integer value");
        var (user, password) = (spec.Value("user") ?? "", spec.Value("password") ?? "");
        if (user.Length == 0 != (password.Length == 0))
            throw Invalid("both user and password fields are required in metadata");
        _priority = spec.Value("priority") is { Length: > 0 } priority ? Priority(priority) ?? throw Invalid("priority value must be between 1 (highest) and 5 (lowest)") : 3;
        _server = new SmtpServer(host, port, user, password, port == ImplicitTlsPort, spec.Flag("skipTLSVerify", unset: false));
        return Task.CompletedTask;
    }

    public async ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken)
    {
        var server = _server ?? throw new InvalidOperationException("the component is not initialised");
        string Of(string name) => request.Metadata.TryGetValue(name, out var own) && own.Length > 0 ? own : spec.Value(name) ?? "";
        var mail = new Mail(Of("emailFrom"), Addresses(Of("emailTo")), Addresses(Of("emailCC")), Addresses(Of("emailBCC")), Of("subject"), PriorityOf(request), Text(request.Data), time.GetUtcNow());
        if (mail.From.Length == 0)
            throw Refused("emailFrom property not supplied in configuration- or request-metadata");
        if (mail.To.Length == 0)
            throw Refused("emailTo property not supplied in configuration- or request-metadata");
        if (mail.Subject.Length == 0)
            throw Refused("subject property not supplied in configuration- or request-metadata");
        // A line break in any of these would begin a header, or a command, of whoever wrote it.
        foreach (var line in mail.Lines.Where(static l => l.AsSpan().ContainsAnyInRange('\0', '\u001f')))
            throw Refused($"'{line.ReplaceLineEndings(" ")}' must be one line");
        using var limit = new CancellationTokenSource(Limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await server.SendAsync(mail, both.Token).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is SmtpException or IOException or System.Net.Sockets.SocketException or System.Security.Authentication.AuthenticationException)
        {
            throw new BindingException($"error from smtp binding, sending email failed: {e.Message}", inner: e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BindingException("error from smtp binding, sending email failed: context deadline exceeded", inner: e);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private int PriorityOf(BindingRequest request) =>
        request.Metadata.TryGetValue("priority", out var own) && own.Length > 0 ? Priority(own) ?? throw Refused("priority value must be between 1 (highest) and 5 (lowest)") : _priority;

    private static int? Priority(string text) => int.TryParse(text, out var priority) && priority is >= 1 and <= 5 ? priority : null;

    private static string[] Addresses(string text) => text.Split(Separators, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    // Over HTTP the data are JSON: a text is what it says, anything else stands as it is written.
    private static string Text(ReadOnlyMemory<byte> data)
    {
        if (data.Length > 1 && data.Span[0] == '"')
        {
            try
            {
                return JsonSerializer.Deserialize<string>(data.Span) ?? "";
            }
            catch (JsonException)
            {
                // Begins like one and is none.
            }
        }

        return System.Text.Encoding.UTF8.GetString(data.Span);
    }

    private static ComponentException Invalid(string reason) => new($"smtp binding error: {reason}");

    private static BindingException Refused(string reason) => new($"smtp binding error: {reason}");
}
