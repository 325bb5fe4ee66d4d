using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>Checks that channel credentials fit the address and collects the call credentials within them.</summary>
internal sealed class ChannelCredentialsReader : ChannelCredentialsConfiguratorBase
{
    bool? _secure;
    List<AsyncAuthInterceptor>? _interceptors;

    public static List<AsyncAuthInterceptor>? Read(ChannelCredentials? credentials, bool isSecure)
    {
        if (credentials is null)
            return null;
        var reader = new ChannelCredentialsReader();
        credentials.InternalPopulateConfiguration(reader, reader);
        if (reader._secure != isSecure)
        {
            throw new InvalidOperationException(isSecure
                ? "Channel is configured with insecure channel credentials and can't use an address with the scheme 'https'."
                : "Channel is configured with secure channel credentials and can't use an address with the scheme 'http'.");
        }

        return reader._interceptors;
    }

    public override void SetInsecureCredentials(object state) => _secure = false;

    public override void SetSslCredentials(object state) => _secure = true;

    public override void SetCompositeCredentials(object state, ChannelCredentials channelCredentials, CallCredentials callCredentials)
    {
        channelCredentials.InternalPopulateConfiguration(this, state);
        CallCredentialsReader.Read(callCredentials, _interceptors ??= []);
    }
}

internal sealed class CallCredentialsReader(List<AsyncAuthInterceptor> interceptors) : CallCredentialsConfiguratorBase
{
    public static void Read(CallCredentials credentials, List<AsyncAuthInterceptor> interceptors) =>
        credentials.InternalPopulateConfiguration(new CallCredentialsReader(interceptors), null);

    public override void SetAsyncAuthInterceptorCredentials(object? state, AsyncAuthInterceptor interceptor) => interceptors.Add(interceptor);

    public override void SetCompositeCredentials(object? state, IReadOnlyList<CallCredentials> credentials)
    {
        foreach (var part in credentials)
            part.InternalPopulateConfiguration(this, state);
    }
}
